"""What a run was told, in its `spec.json`: written once, compared when the run goes on."""

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np

from recsys.checkpoint import steps
from recsys.checkpoint.manifest import check, fingerprint, write_json
from recsys.checkpoint.restoring import differences, in_words
from recsys.data.store import Store, manifest_digest
from recsys.durable import sync
from recsys.features.schema import Schema
from recsys.features.vocabulary import Vocabulary
from recsys.spec import from_json, to_json
from recsys.training.vocabularies import save_vocabularies

SPEC, VOCABULARIES = "spec.json", "vocabularies.npz"
FORMAT = 1  # of the directory; another number is another layout
CONTENT = ("schema", "splits", "spaces", "vocabularies", "files")  # of a store's manifest
MAY_CHANGE = ("epochs", "patience")  # when a run goes on: how long it trains at most
PACKAGES = ("recsys", "jax", "flax", "numpy")  # whose versions are noted


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """What `spec.json` says, of whatever task the run is."""

    settings: Any  # the spec of what a person chose
    resolved: Any  # the spec of all that training does
    store: Path
    store_digest: str  # of its content


def begin(path: Path, store: Store, settings: Any, resolved: Any) -> None:
    """Writes what the run is told, or refuses a directory that was told something else.

    Raises:
        ValueError: the directory holds another run, or checkpoints of something else.
    """
    digest = store_digest(store)
    if (path / SPEC).is_file():
        there = read_spec(path)
        _refuse_other(path, _fixed(there.resolved, there.store_digest), _fixed(resolved, digest))
        if there.resolved == resolved:
            return
    elif steps(path):
        raise ValueError(
            f"{path} should be new or hold a run, and has checkpoints without a {SPEC}: give "
            "another directory."
        )
    path.mkdir(parents=True, exist_ok=True)
    if not (path / SPEC).is_file():
        save_vocabularies(path / VOCABULARIES, store.vocabularies)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    content = {
        "format": FORMAT,
        "settings": to_json(settings),
        "resolved": to_json(resolved),
        "store": {"path": str(store.path.absolute()), "digest": digest},
        "vocabularies": fingerprint(path / VOCABULARIES),
        "versions": versions,
    }
    partial = path / f".partial-{SPEC}"
    write_json(partial, content)
    partial.replace(path / SPEC)
    sync(path)


def read_spec(path: Path) -> RunSpec:
    """What the run in a directory was told.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it was edited so that it makes no sense, or another version has written it.
    """
    if not (path / SPEC).is_file():
        raise FileNotFoundError(
            f"A run has a {SPEC}, and {path} has none: give a directory that was trained in."
        )
    try:
        content = json.loads((path / SPEC).read_text())
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, and this version reads {FORMAT}")
        settings, resolved = (from_json(content[name]) for name in ("settings", "resolved"))
        store, vocabularies = content["store"], content["vocabularies"]
        told = RunSpec(settings, resolved, Path(store["path"]), store["digest"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path / SPEC} should say what a run was told, and does not ({error}): train in "
            "another directory."
        ) from error
    check(path / VOCABULARIES, vocabularies)
    return told


def store_digest(store: Store) -> str:
    """What two stores have in common if and only if they hold the same examples."""
    return manifest_digest({name: store.manifest[name] for name in CONTENT})


def refuse_other_store(
    path: Path, schema: Schema, vocabularies: dict[str, Vocabulary], store: Store
) -> None:
    """Refuses a store whose rows mean something else than those a run was trained on.

    Raises:
        ValueError: the features, the label or a vocabulary differ.
    """
    what = in_words(list(differences(_meaning(schema), _meaning(store.schema))))
    if not what:
        other = [name for name in vocabularies if not _same(vocabularies[name], store, name)]
        what = f"the vocabulary of {', '.join(other)} is another" if other else ""
    if what:
        raise ValueError(
            f"{path} was trained with another schema than {store.path} has ({what}): evaluate it "
            "on its own store, or on raw files, which are read with its schema."
        )


def _same(vocabulary: Vocabulary, store: Store, name: str) -> bool:
    other = store.vocabularies.get(name)
    return (
        other is not None
        and np.array_equal(vocabulary.sorted, other.sorted)
        and np.array_equal(vocabulary.order, other.order)
    )


def _meaning(schema: Schema) -> dict[str, Any]:
    """What a stored row of a schema means; lookups are the model's own affair."""
    features = [dataclasses.replace(f, lookups=1) for f in schema.features]
    named = {feature.name: to_json(feature) for feature in features}
    return {"features": named, "label": schema.label, "positive": schema.positive}


def _fixed(resolved: Any, digest: str) -> dict[str, Any]:
    """What must stay when a run goes on; the store first, as much else follows from it."""
    told = {name: value for name, value in to_json(resolved).items() if name not in MAY_CHANGE}
    return {"store": digest, **told}


def _refuse_other(path: Path, there: dict[str, Any], here: dict[str, Any]) -> None:
    what = in_words(list(differences(there, here)))
    if what:
        raise ValueError(
            f"{path} holds a run of other settings ({what}): give the same ones to go on with it, "
            "or another directory."
        )
