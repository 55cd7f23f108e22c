"""Any log as chunks of columns: one file, many, or a pattern; the format by suffix.

for chunk in open_log("events-*.csv.gz"):
    print(chunk.table.column_names, chunk.places[0])
"""

import glob
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from recsys.data.formats import TFDS, Chunk, Delimited, Format, JSONLines, Parquet, Piece
from recsys.data.formats.text import CODECS
from recsys.data.formats.tfds import INFO, PREFIX
from recsys.data.rejects import Rejects

__all__ = ["FORMATS", "Chunk", "files", "format_of", "open_log", "pieces"]

FORMATS: dict[str, Format] = {
    ".csv": Delimited(","),
    ".tsv": Delimited("\t"),
    ".jsonl": JSONLines(),
    ".ndjson": JSONLines(),
    ".parquet": Parquet(),
}
Source = str | Path


def open_log(
    paths: Source | Iterable[Source],
    *,
    columns: Collection[str] | None = None,
    format: Format | None = None,
    rejects: Rejects | None = None,
) -> Iterator[Chunk]:
    """A log chunk by chunk, in the order of its files and rows.

    Args:
        paths: Files, patterns (`day-*.csv`), folders of files, and TFDS builders (`tfds:NAME`).
        columns: Those to read; None is all.
        format: Instead of what the suffix says.
        rejects: Where rows go that cannot be read; None makes the first an error.
    """
    rejects = rejects or Rejects()
    for piece in pieces(paths, columns=columns, format=format):
        chunk = piece()
        rejects.add(chunk.rejects)
        yield chunk


def pieces(
    paths: Source | Iterable[Source],
    *,
    columns: Collection[str] | None = None,
    format: Format | None = None,
) -> Iterator[Piece]:
    """The same as calls that give the chunks, so that threads can share the work.

    Raises:
        ValueError: a file has no rows, lacks a column, or is damaged.
    """
    for path in files(paths):
        count = 0
        for piece in (format or format_of(path)).pieces(path, columns):
            count += 1
            yield piece
        if not count:
            raise ValueError(
                f"{path}, line 1: the file has no rows: give one with rows, or leave it out."
            )


def files(paths: Source | Iterable[Source]) -> list[Path]:
    """The files of a log, those of a pattern or a folder in the order of their names.

    Raises:
        FileNotFoundError: a path or a pattern names nothing.
    """
    found: list[Path] = []
    for source in [paths] if isinstance(paths, str | Path) else paths:
        path = Path(source)
        if str(source).startswith(PREFIX) or path.is_file() or (path / INFO).is_file():
            matches = [path]
        elif path.is_dir():
            matches = sorted(file for file in path.iterdir() if _suffix(file) in FORMATS)
        else:
            matches = sorted(map(Path, glob.glob(str(source), recursive=True)))
        if not matches:
            raise FileNotFoundError(
                f"A log wants files that exist, and {source} names none: correct the path."
            )
        found += matches
    return found


def format_of(path: Path) -> Format:
    """How a file holds its rows, by its suffix.

    Raises:
        ValueError: no format goes by that suffix.
    """
    if str(path).startswith(PREFIX) or (path / INFO).is_file():
        return TFDS()
    suffix = _suffix(path)
    if suffix not in FORMATS:
        raise ValueError(
            f"{path} wants a suffix that says its format, one of {', '.join(FORMATS)} (and "
            f"{' or '.join(CODECS)} after it): rename it, or pass its format."
        )
    return FORMATS[suffix]


def _suffix(path: Path) -> str:
    """The suffix below that of compression, in small letters."""
    return (Path(path.stem) if path.suffix in CODECS else path).suffix.lower()
