"""The manifest of a release: what each of its files was when it was written, and the proof.

It is written last, in one spelling of JSON: whoever changes any byte of any file, the manifest
among them, is found out when the release is opened.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from recsys.durable import sync

MANIFEST = "manifest.json"
FORMAT = 1  # of the directory; another number is another layout
AGAIN = "copy the release again, or export it again"
READ_BYTES = 2**20
ID = 12  # letters of a sha256 that are an id


class ReleaseError(ValueError):
    """A directory that holds no release that can be trusted, and why; it names the file."""


@contextlib.contextmanager
def written(out: Path) -> Iterator[Path]:
    """A folder beside the wanted one, that takes its name when all is well.

    Raises:
        FileExistsError: there is something of that name.
    """
    if out.exists():
        raise FileExistsError(
            f"A release is written once, and {out} is there already: give another directory."
        )
    partial = out.with_name(f".partial-{out.name}")
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(out)
        sync(out.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_manifest(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Seals a directory that holds everything else, and makes sure that all of it is on disk.

    The release's id follows from its files.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file())
    named = {file.relative_to(path).as_posix(): digest(file) for file in files}
    content = {**content, "format": FORMAT, "id": digest_of(named)[:ID], "files": named}
    (path / MANIFEST).write_bytes(spelled({**content, "digest": digest_of(content)}))
    for part in [*path.rglob("*"), path]:
        sync(part)
    return content


def read_manifest(path: Path) -> dict[str, Any]:
    """What a release says of itself, if nobody changed what it says.

    Raises:
        ReleaseError: the directory holds no release, its manifest was edited or truncated, or
            another version has written it.
    """
    if not (path / MANIFEST).is_file():
        raise ReleaseError(
            f"A release has a {MANIFEST}, and {path} has none: give a directory that was exported."
        )
    told = (path / MANIFEST).read_bytes()
    try:
        content = json.loads(told)
        found, is_ours = content.pop("digest"), content["format"] == FORMAT
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ReleaseError(
            f"{path / MANIFEST} should be a manifest and was truncated or edited: {AGAIN}."
        ) from error
    if not is_ours:
        raise ReleaseError(
            f"{path / MANIFEST} has format {content['format']}, and this version reads {FORMAT}: "
            "export the run again, or use the version that wrote it."
        )
    if found != digest_of(content) or told != spelled({**content, "digest": found}):
        raise ReleaseError(
            f"{path / MANIFEST} should have the digest that it names and was edited: {AGAIN}."
        )
    return content


def check_files(path: Path, manifest: dict[str, Any], *, verify: bool) -> None:
    """Refuses a release with a file that is not as it was written; without `verify`, by size alone.

    Raises:
        ReleaseError: a file is missing, was truncated or edited.
    """
    for name, wanted in manifest["files"].items():
        if not (path / name).is_file():
            raise ReleaseError(
                f"A release needs all its files, and {path / name} is missing: {AGAIN}."
            )
        size = (path / name).stat().st_size
        if size != wanted["bytes"]:
            raise ReleaseError(
                f"{path / name} should have {wanted['bytes']:,} bytes and has {size:,}, so it was "
                f"truncated or edited: {AGAIN}."
            )
        if verify and digest(path / name) != wanted:
            raise ReleaseError(
                f"{path / name} should have the sha256 of its export and was edited: {AGAIN}."
            )


def digest(path: Path) -> dict[str, Any]:
    """The size and sha256 of a file, read in pieces."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            found.update(piece)
    return {"bytes": path.stat().st_size, "sha256": found.hexdigest()}


def spelled(value: Any) -> bytes:
    """A value as JSON in the one spelling that a manifest has."""
    told = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    return (told + "\n").encode()


def digest_of(value: Any) -> str:
    """The sha256 of a value as a manifest spells it."""
    return hashlib.sha256(spelled(value)).hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Writes a file of JSON."""
    told = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    path.write_bytes(told.encode())
