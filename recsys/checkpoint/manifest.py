"""The manifest: what a checkpoint holds, and a digest of every file to prove it."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import jax
import xxhash

from recsys.durable import sync

ARRAYS, SPEC, NOTES, MANIFEST = "arrays", "spec.json", "notes.json", "manifest.json"
READ_BYTES = 2**22  # at a time, for a digest
AGAIN = "restore another step, or copy the checkpoint again"


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says of itself, before its arrays are read."""

    path: Path
    step: int
    spec: Any  # plain JSON; `recsys.spec.from_json` makes specs of it
    notes: dict[str, Any]
    arrays: dict[str, str]  # name -> dtype and shape
    files: dict[str, dict[str, Any]]  # path inside the folder -> bytes and digest


def folder(step: int) -> str:
    """The name of a step's checkpoint."""
    return f"step-{step:08d}"


def steps(directory: str | Path) -> list[int]:
    """The steps that have a complete checkpoint, in order."""
    names = [path.name for path in Path(directory).glob("step-*")]
    return sorted(int(name[5:]) for name in names if re.fullmatch(r"step-\d{8,}", name))


def named(state: Any) -> dict[str, Any]:
    """The arrays of a tree by their path in it."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    by_name = {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves
    }
    assert len(by_name) == len(leaves), "two arrays of the state have one name"
    return by_name


def shape_of(array: Any) -> str:
    """What must agree between a checkpoint and whoever restores it, as `float32[512, 16]`."""
    return f"{array.dtype}{list(array.shape)}"


def write(path: Path, *, step: int, arrays: dict[str, str]) -> None:
    """Writes the manifest of a folder that holds everything else, and makes sure all is on disk."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    content = {
        "step": step,
        "arrays": arrays,
        "files": {str(file.relative_to(path)): fingerprint(file) for file in files},
    }
    for part in path.rglob("*"):
        sync(part)
    write_json(path / MANIFEST, {**content, "digest": _digest(content)})
    sync(path)


def read(path: Path) -> Checkpoint:
    """What the checkpoint in a folder says of itself.

    Raises:
        FileNotFoundError: the manifest, the spec or the notes are missing.
        ValueError: one of them was edited or truncated.
    """
    content = _checked(path / MANIFEST)
    if path.name != folder(content["step"]):
        raise ValueError(f"{path} should hold its step and holds {content['step']}: {AGAIN}.")
    for name in (SPEC, NOTES):
        check(path / name, content["files"][name])
    spec, notes = (json.loads((path / name).read_text()) for name in (SPEC, NOTES))
    return Checkpoint(path, content["step"], spec, notes, content["arrays"], content["files"])


def fingerprint(path: Path) -> dict[str, Any]:
    """The size and digest of a file, read in pieces."""
    digest = xxhash.xxh3_128()  # against accidents, not attackers: faster than any disk
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            digest.update(piece)
    return {"bytes": path.stat().st_size, "digest": digest.hexdigest()}


def check(path: Path, wanted: dict[str, Any]) -> None:
    """Refuses a file that is not as it was saved."""
    if not path.is_file():
        raise FileNotFoundError(
            f"A checkpoint needs all its files, and {path} is missing: {AGAIN}."
        )
    size = path.stat().st_size
    if size != wanted["bytes"]:
        raise ValueError(
            f"{path} should have {wanted['bytes']:,} bytes and has {size:,}, so it was truncated "
            f"or edited: {AGAIN}."
        )
    if fingerprint(path) != wanted:
        raise ValueError(f"{path} should have the digest of its save and was edited: {AGAIN}.")


def write_json(path: Path, value: Any) -> None:
    """Writes a file of JSON and makes sure it is on disk."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")
    sync(path)


def _checked(path: Path) -> dict[str, Any]:
    """The manifest's content, if it is what was written."""
    if not path.is_file():
        raise FileNotFoundError(f"A checkpoint needs a manifest, and {path} is missing: {AGAIN}.")
    try:
        content = json.loads(path.read_text())
        digest = content.pop("digest")
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} should be a manifest and was truncated or edited: {AGAIN}."
        ) from error
    if digest != _digest(content):
        raise ValueError(f"{path} should have the digest that it names and was edited: {AGAIN}.")
    return content


def _digest(content: dict[str, Any]) -> str:
    return xxhash.xxh3_128(json.dumps(content, sort_keys=True).encode()).hexdigest()
