"""Restoring: onto any devices, after proof that the checkpoint is whole and is the one wanted."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from recsys.checkpoint import manifest
from recsys.checkpoint.manifest import ARRAYS, Checkpoint, folder, named, shape_of, steps
from recsys.spec import to_json

MOST_DIFFERENCES = 3  # named in an error
MOST_CHARACTERS = 60  # of a value in an error


@dataclasses.dataclass(frozen=True)
class Restored:
    """A state and the checkpoint it comes from."""

    state: Any
    checkpoint: Checkpoint


def latest(directory: str | Path) -> int | None:
    """The last step that has a complete checkpoint, if any has."""
    return max(steps(directory), default=None)


def describe(directory: str | Path, step: int | None = None) -> Checkpoint:
    """What the checkpoint of a step, or the latest, says of itself.

    Raises:
        FileNotFoundError: there is none, or a file of it is missing.
        ValueError: a file of it was edited or truncated.
    """
    known = steps(directory)
    if not known or step not in (None, *known):
        wanted = "a checkpoint" if step is None else f"a checkpoint of step {step}"
        there = f"has those of {', '.join(map(str, known))}" if known else "has none"
        raise FileNotFoundError(
            f"{directory} should hold {wanted} and {there}: give a directory and step of a save."
        )
    return manifest.read(Path(directory).absolute() / folder(known[-1] if step is None else step))


def restore(
    directory: str | Path, like: Any, *, spec: Any = None, step: int | None = None
) -> Restored:
    """The state of a step, or the latest, placed as `like` says.

    Args:
        like: a tree of arrays, or of `jax.ShapeDtypeStruct`s with shardings.
        spec: what the state must belong to; None takes any.

    Raises:
        FileNotFoundError: there is no such checkpoint, or a file of it is missing.
        ValueError: a file was edited or truncated, or the checkpoint is of another spec or shape.
    """
    found = describe(directory, step)
    for name, fingerprint in found.files.items():
        manifest.check(found.path / name, fingerprint)
    wanted = named(like)
    if spec is not None:
        _refuse(found.path, "spec", list(differences(found.spec, to_json(spec))))
    shapes = {name: shape_of(array) for name, array in wanted.items()}
    _refuse(found.path, "shape", list(differences(found.arrays, shapes)))
    read = _read(found.path / ARRAYS, wanted)
    state = jax.tree.unflatten(jax.tree.structure(like), [read[name] for name in wanted])
    return Restored(state, found)


def _read(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The arrays by name, each on the devices that are wanted; Orbax stores no empty ones."""
    stored = {
        name: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)
        for name, array in wanted.items()
        if array.size
    }
    empty = {
        name: jnp.zeros(array.shape, array.dtype, device=array.sharding)
        for name, array in wanted.items()
        if not array.size
    }
    return {**ocp.load(str(path), stored), **empty}


def differences(saved: Any, here: Any, place: str = "") -> Iterator[str]:
    """Where two JSON values differ, in words."""
    if isinstance(saved, list) and isinstance(here, list) and len(saved) == len(here):
        saved, here = dict(enumerate(saved)), dict(enumerate(here))
    if isinstance(saved, dict) and isinstance(here, dict):
        for name in dict.fromkeys([*saved, *here]):
            inner = f"{place}.{name}".lstrip(".")
            yield from differences(saved.get(name, "absent"), here.get(name, "absent"), inner)
    elif saved != here:
        yield f"{place} is {_short(saved)} there and {_short(here)} here"


def in_words(differences: list[str]) -> str:
    """The first few differences; empty if there are none."""
    more = len(differences) - MOST_DIFFERENCES
    return ", ".join(differences[:MOST_DIFFERENCES]) + (f", and {more} more" if more > 0 else "")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _refuse(path: Path, what: str, differences: list[str]) -> None:
    if not differences:
        return
    raise ValueError(
        f"{path} was saved with another {what} than is wanted here ({in_words(differences)}): "
        "build what it was saved from, or use another directory (or delete this one)."
    )
