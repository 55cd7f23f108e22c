"""Writing a release: beside its place, by its own reader, then renamed; whole or not at all."""

import dataclasses
import datetime
import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from recsys.export.draft import Catalogue, Draft
from recsys.export.frozen import Frozen
from recsys.export.measuring import latency_ms
from recsys.export.tasks import TASKS
from recsys.release import golden
from recsys.release.arrays import save_arrays
from recsys.release.documents import LINKS
from recsys.release.manifest import ID, digest, digest_of, write_json, write_manifest, written
from recsys.release.release import (
    ARCHIVE,
    GOLDEN,
    HASHING,
    INDEX,
    ITEMS,
    PARAMS,
    PROGRAMS,
    SCHEMA,
    USERS,
    VOCABULARIES,
    Release,
)
from recsys.release.vocabularies import save_vocabularies
from recsys.spec import to_json

PLATFORMS = ("cpu", "cuda", "tpu")
PACKAGES = ("recsys", "jax", "jaxlib", "flax", "numpy")  # whose versions are noted
WINDOW_DAYS = 180  # that JAX promises to read its StableHLO for
FLOOR = 0.95  # recall of an index, below which nothing is published
PROBES = 512  # known users whose vectors an index is measured with
BLOCK = 2**14  # items embedded at a time
ENTRIES = 2**24  # of their vectors at a time, which bounds the block of wide ones
FINGERPRINT = "xxh3, 64 bits, seed 0, of the value's text in UTF-8"
ROW = "Philox2x32, 10 rounds, key = salt, counter = (low, high); multiply-high by the rows"


def write(
    draft: Draft,
    out: str | Path,
    *,
    name: str | None = None,
    parent: str | None = None,
    platforms: Sequence[str] = PLATFORMS,
    floor: float = FLOOR,
) -> Path:
    """Makes the directory of a release; its path.

    Args:
        draft: what is in it.
        out: the directory, which must be new.
        name: what people call it; by default, what the directory is called.
        parent: id of the release that this one follows.
        platforms: that its programs run on.
        floor: recall of the index, below which there is no release.

    Raises:
        FileExistsError: the directory is there already.
        ValueError: a vector is not finite, or the index finds too little.
    """
    out = Path(out)
    frozen = Frozen(draft.model)
    with written(out) as folder:
        manifest = _head(draft, name or out.name, parent)
        save_arrays(folder / PARAMS, frozen.params(draft.state))
        manifest |= add_programs(folder, draft.task, frozen, platforms)
        _write_words(folder, draft, frozen)
        if draft.links is not None:
            draft.links.save(folder / LINKS)
        manifest["space_id"] = space_id(draft, folder)
        write_json(folder / GOLDEN, [])
        quality: dict[str, Any] = {"metrics": dict(draft.metrics), "split": draft.split}
        if draft.catalogue is not None:
            draft.catalogue.items.save(folder / ITEMS)
            draft.catalogue.known.save(folder / USERS)
        release = Release(folder, manifest)
        if draft.catalogue is not None:
            from recsys.index import Sparse, default  # which asks for more than a click model does

            spec = Sparse() if draft.skills else default(len(draft.catalogue.items))
            quality["index"] = add_index(release, draft.catalogue, spec, floor)
            items, dim = release.item_vectors.shape
            manifest["vectors"] = {"items": items, "dim": dim}
        quality["latency_ms"] = latency_ms(release)
        quality["bytes"] = {"table": frozen.embed.table_bytes, "served": frozen.embed.served_bytes}
        manifest["quality"] = quality
        add_golden(release, draft.requests)
        write_manifest(folder, manifest)
    return out


def add_programs(
    folder: Path, task: str, frozen: Frozen, platforms: Sequence[str]
) -> dict[str, Any]:
    """Writes a task's programs; what the manifest says of them."""
    (folder / PROGRAMS).mkdir()
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    told = {}
    for name, asked in TASKS[task](frozen.spec).items():
        file = f"{PROGRAMS}/{name}.stablehlo"
        (folder / file).write_bytes(frozen.program(asked, platforms))
        told[name] = {"file": file, "platforms": list(platforms)}
    until = now + datetime.timedelta(days=WINDOW_DAYS)
    return {
        "created": now.isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "programs": told,
        "programs_good_until": until.date().isoformat(),
    }


def add_index(release: Release, catalogue: Catalogue, spec: Any, floor: float) -> dict[str, Any]:
    """Embeds the items, block by block, and writes their index; what it says of itself.

    Raises:
        ValueError: a vector is not finite, or the index finds too little.
    """
    from recsys.index import build

    skills = release.skills or ()
    block = min(BLOCK, max(1, ENTRIES // max(1, len(skills), release.schema.places)))
    starts = range(0, len(catalogue.items), block)
    parts = [release.embed_items(catalogue.rows.take(slice(n, n + block))) for n in starts]
    vectors = np.concatenate(parts)
    users = None if skills else _probes(release)  # a sparse index is exact
    index = build(spec, vectors, users=users, floor=floor)
    index.save(release.path / INDEX)
    return to_json(vars(index.stats()))


def add_golden(release: Release, requests: Sequence[Mapping[str, Any]]) -> None:
    """Writes golden requests with what the release answers now."""
    answers = golden.answers(release, requests)
    pairs = [{"request": r, "answer": a} for r, a in zip(requests, answers, strict=True)]
    write_json(release.path / GOLDEN, pairs)


def space_id(draft: Draft, folder: Path) -> str:
    """A name of all that decides what a vector means: the model, its parameters and links."""
    told = {"task": draft.task, "model": to_json(draft.model), "params": digest(folder / PARAMS)}
    if draft.links is not None:
        told["links"] = {file.name: digest(file) for file in sorted((folder / LINKS).iterdir())}
    return digest_of(told)[:ID]


def _head(draft: Draft, name: str, parent: str | None) -> dict[str, Any]:
    """What the manifest says that follows from the draft alone."""
    item = draft.catalogue.schema.features[0].name if draft.catalogue else None
    return {
        "name": name,
        "parent": parent,
        "task": draft.task,
        "columns": {"user": draft.user_column, "item": item},
        "histories": list(draft.catalogue.histories) if draft.catalogue else [],
        "no_row": draft.no_row,
        "skills": list(draft.skills) if draft.skills else None,
        "documents": dataclasses.asdict(draft.documents) if draft.documents else None,
        "data": dict(draft.data),
    }


def _write_words(folder: Path, draft: Draft, frozen: Frozen) -> None:
    """Writes what says how raw values become keys, and keys rows; and the archive."""
    item = draft.catalogue.schema if draft.catalogue else None
    write_json(folder / SCHEMA, to_json({"query": draft.schema, "item": item}))
    save_vocabularies(folder / VOCABULARIES, draft.vocabularies)
    fields = {
        name: [{"feature": f.name, "values": f.values, "salt": f.salt} for f in plan.fields]
        for name, plan in frozen.embed.plans.items()
    }
    write_json(folder / HASHING, {"fingerprint": FINGERPRINT, "row": ROW, "fields": fields})
    write_json(folder / ARCHIVE, {"task": draft.task, "model": to_json(draft.model)})


def _probes(release: Release) -> Float32[np.ndarray, "users dim"]:
    """Vectors of known users, as the index will be asked for; of items where none is known."""
    assert release.known is not None
    count = len(release.known)
    chosen = np.random.default_rng(0).permutation(count)[:PROBES].tolist()
    found = release.encode_known(chosen)
    return release.users(found.batch)[found.is_known]
