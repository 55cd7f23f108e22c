"""Explicit spaces: profiles and jobs in, amounts of named skills out; with an index of the jobs.

draft = explicit.draft(space, items=Items.of(ids, {"title": titles}), jobs=documents)
write(draft, "market")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from recsys.explicit import Documents, Space
from recsys.explicit.encoding import encoded
from recsys.explicit.files import kept_jobs
from recsys.export.draft import Catalogue, Draft, named
from recsys.export.frozen import Asked
from recsys.features.batch import Batch
from recsys.features.hashing import fingerprint
from recsys.models.explicit import SKILLS, TEXT, Explicit, Pairs
from recsys.release import Items, Known
from recsys.release.documents import Told, laid_out
from recsys.release.people import Lists
from recsys.release.programs import Width
from recsys.training.step import state_of

GOLDEN = 8  # requests with words
NAMED = 3  # skills that a golden request states
TITLE = 80  # characters of a text that stand for a title


def programs(spec: Explicit) -> dict[str, Asked]:
    """What a release of a space answers."""

    width = _told(spec, None).beside(Width.of(spec.schema))

    def of(side: int) -> Asked:
        def vectors(model: Any, batch: Batch) -> Any:
            read = _read(spec, batch)
            return model.vectors(model.embed(read), read, side)

        return Asked(vectors, width)

    return {"users": of(0), "items": of(1)}


def draft(
    space: Space,
    *,
    items: Items,
    jobs: Documents,
    data: Mapping[str, Any] | None = None,
) -> Draft:
    """The release of a space.

    Args:
        space: that was fitted.
        items: what jobs are called and what is shown of them.
        jobs: in the order of the items; of skills that they state, served grades are 1.
        data: what it was trained on.

    Raises:
        ValueError: the space has words beside its skills and no linker that counts them.
    """
    spec, inventory = space.model.spec, space.inventory
    spaces = {SKILLS: fingerprint(inventory.names)}
    batch = encoded(spec, space.read(jobs))
    found = space.history[space.epoch - 1] if space.epoch else {}
    nobody = Lists(np.zeros(1, np.int64), np.zeros(0, np.int32))
    return Draft(
        task="explicit",
        model=spec,
        state=state_of(space.model),
        schema=spec.schema,
        vocabularies=named(spec.schema.features, {}, spaces),
        requests=_requests(space, jobs),
        catalogue=Catalogue(
            schema=spec.schema,
            items=items,
            rows=laid_out(batch, batch.given, batch.words, batch.counts),
            known=Known(
                fingerprints=np.zeros(0, np.uint64),
                keys=np.zeros((0, spec.schema.places), np.uint64),
                valid=np.zeros((0, spec.schema.places), bool),
                numbers=np.zeros((0, 0), np.float32),
                liked=nobody,
                seen=nobody,
                names=[],
            ),
            histories=(),
        ),
        metrics={name: value for name, value in found.items() if name != "epoch"},
        split="valid",
        data={"jobs": len(jobs), "skills": len(inventory), **(data or {})},
        skills=space.names.names if space.is_explicit else None,
        documents=_told(spec, space.settings.link_gain if space.linker else None),
        links=space.linker,
    )


def of_directory(path: Path) -> Draft:
    """The release of a space that `recsys train --task explicit` wrote, with its jobs.

    Raises:
        FileNotFoundError: it has no jobs beside it.
    """
    space = Space.open(path)
    jobs = kept_jobs(path, space.inventory)
    told = [row.get("title") or row["text"][:TITLE] for row in jobs.rows]
    items = Items.of(jobs.ids, {"title": told})
    return draft(space, items=items, jobs=jobs.documents)


def _told(spec: Explicit, gain: float | None) -> Told:
    """What a release says of its documents."""
    stated = 0 if spec.stated is None else spec.stated.length
    return Told(stated=stated, spoken=spec.spoken if spec.words else 0, gain=gain)


def _read(spec: Explicit, batch: Batch) -> Pairs:
    """Documents as the model reads them, of what `laid_out` made of them."""
    places, stated = spec.schema.places, _told(spec, None).stated
    high, low, valid, numbers = map(
        jnp.asarray, (batch.high, batch.low, batch.valid, batch.numbers)
    )
    none = jnp.zeros((high.shape[0], 0), jnp.float32)
    return Pairs(
        high=high[:, :places],
        low=low[:, :places],
        valid=valid[:, :places],
        numbers=none,
        label=batch.label,
        weight=batch.weight,
        given=numbers[:, :stated],
        known=none.astype(jnp.int32),
        grade=none,
        words=low[:, places:].astype(jnp.int32),
        counts=numbers[:, stated:],
        is_relevant=jnp.zeros((0, 0), bool),
        log_count=jnp.zeros(0, jnp.float32),
        pair_weight=jnp.zeros(0, jnp.float32),
    )


def _requests(space: Space, jobs: Documents) -> list[dict[str, Any]]:
    """Golden requests: the words of some jobs, stated skills, and nothing at all."""
    rows: list[dict[str, Any]] = [{}]
    some = np.unique(np.linspace(0, len(jobs) - 1, GOLDEN).astype(np.int64))
    rows += [{TEXT: jobs.texts[number]} for number in some if jobs.texts[number]]
    if space.model.spec.stated is not None:
        rows.append({SKILLS: list(space.inventory.names[:NAMED])})
    return [{"row": row} for row in rows]
