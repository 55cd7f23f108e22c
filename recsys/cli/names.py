"""What commands are given, as their help names it, and names for what they write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from recsys.data.formats.text import CODECS

Files = Positional[Annotated[tuple[str, ...], arg(metavar="FILE [FILE ...]")]]
MaybeFiles = Positional[Annotated[tuple[str, ...], arg(metavar="[STORE | FILE ...]")]]
RunPath = Positional[Annotated[Path, arg(metavar="RUN")]]
MaybeRunPath = Positional[Annotated[Path | None, arg(metavar="[RUN]")]]
SpacePath = Positional[Annotated[Path, arg(metavar="SPACE")]]
StorePath = Positional[Annotated[Path, arg(metavar="STORE")]]
TrainingData = Positional[Annotated[str, arg(metavar="STORE | FILE | NAME")]]
MaybeStore = Positional[Annotated[Path | None, arg(metavar="[STORE]")]]
SCHEMA, STORE = ".schema.toml", ".store"


def stem(files: Sequence[str]) -> Path:
    """The first file's path without its suffixes; of a pattern, what is before it."""
    if not files:
        raise ValueError("This command wants a file to read, got none: name one or more.")
    first = Path(files[0].removeprefix("tfds:"))
    if first.suffix in CODECS:
        first = first.with_suffix("")
    name = first.with_suffix("").name.rstrip("*?[]-_.") or "events"
    return first.with_name(name)


def schema_path(files: Sequence[str]) -> Path:
    """Where the schema of some files is."""
    return stem(files).with_name(stem(files).name + SCHEMA)


def store_path(files: Sequence[str]) -> Path:
    """Where the store of some files is."""
    return stem(files).with_name(stem(files).name + STORE)


def run_path(store: Path) -> Path:
    """Where a model of a store, or of a log, is trained."""
    return Path("runs") / store.name.removesuffix(STORE)
