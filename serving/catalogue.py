"""Items by their names: those of the release, and those that were added while it is served.

A name that was added is on disk before the index learns of its vector, so after a restart whatever
the index has found again has its name. A start writes anew what has been told often.
"""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32, Int64

from recsys.release import Items

FILE = "items.jsonl"
DIGITS = 7  # of a score behind the point
MOST_TOLD = 4  # lines an item, on average, before a start writes one for each


class Catalogue:
    """Names and columns by row, and rows by name."""

    def __init__(self, items: Items, folder: Path):
        """Reads what was added before.

        Args:
            items: Of the release: the first rows.
            folder: Where additions are kept.
        """
        self._items = items
        self._ids = list(items.ids)
        self._changed: dict[int, dict[str, Any]] = {}  # columns that replace those of the release
        self._rows = {name: row for row, name in enumerate(self._ids)}
        self._shown: list[bytes | None] = [None] * len(self._ids)
        self._lock = threading.Lock()
        self.version = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._read()

    @property
    def columns(self) -> tuple[str, ...]:
        """What is known of items of the release."""
        return tuple(self._items.columns)

    def __len__(self) -> int:
        """How many rows there have been, those that were deleted among them."""
        return len(self._ids)

    def row_of(self, item: str | int) -> int | None:
        """The row of a name; None where it was never heard of."""
        return self._rows.get(str(item))

    def rows_of(self, items: Sequence[str | int]) -> Int64[np.ndarray, "rows"]:
        """The rows of names; those that were never heard of are left out."""
        rows = list(map(self._rows.get, map(str, items)))
        return np.array([row for row in rows if row is not None], np.int64)

    def name(self, row: int) -> str:
        """The name of a row."""
        return self._ids[row]

    def column(self, name: str) -> list[Any]:
        """One column of all rows; None where a row has none."""
        values = list(self._items.columns.get(name, [None] * len(self._items)))
        values += [None] * (len(self) - len(values))
        for row, columns in self._changed.items():
            values[row] = columns.get(name, values[row])
        return values

    def shown(self, rows: Int64[np.ndarray, "k"], scores: Float32[np.ndarray, "k"]) -> msgspec.Raw:
        """Items as they are shown, with their scores: a JSON array, put together of its parts."""
        if not len(rows):
            return msgspec.Raw(b"[]")
        shown = self._shown
        begun = [shown[row] or self._begun(row) for row in rows.tolist()]
        told = msgspec.json.encode(np.round(scores.astype(np.float64), DIGITS).tolist())
        parts = [b"},"] * (3 * len(begun))
        parts[0::3] = begun
        parts[1::3] = told[1:-1].split(b",")
        parts[-1] = b"}]"
        return msgspec.Raw(b"[" + b"".join(parts))

    def _begun(self, row: int) -> bytes:
        """An item's JSON object up to its score."""
        told = {"id": self._ids[row]}
        if row < len(self._items):
            told |= self._items.get(row)
        told = told | self._changed.get(row, {})
        told.pop("score", None)
        found = self._shown[row] = msgspec.json.encode(told)[:-1] + b',"score":'
        return found

    def add(self, items: list[tuple[str, dict[str, Any]]]) -> list[int]:
        """The rows of items, new ones for names that are new; on disk when this returns."""
        with self._lock:
            rows, told, free = [], [], len(self._ids)
            known: dict[str, int] = {}
            for name, columns in items:
                row = self.row_of(name)
                row = known.get(name) if row is None else row
                if row is None:
                    row, free = free, free + 1
                known[name] = row
                rows.append(row)
                told.append({"row": row, "id": name, "columns": columns})
            self._write(told)
            for line in told:
                self._take(line)
            self.version += 1
            return rows

    def _take(self, line: dict[str, Any]) -> None:
        row, name = line["row"], line["id"]
        if row == len(self._ids):
            self._ids.append(name)
            self._shown.append(None)
            self._rows[name] = row
        if line["columns"]:
            self._changed[row] = self._changed.get(row, {}) | line["columns"]
        self._shown[row] = None

    def _write(self, lines: list[dict[str, Any]]) -> None:
        is_new = not self._path.exists()
        _append(self._path, lines)
        if is_new:
            _sync(self._path.parent)

    def _write_anew(self, rows: list[int]) -> None:
        """What is true now, in place of how it came about."""
        draft = self._path.with_name(f".draft-{FILE}")
        draft.unlink(missing_ok=True)  # of a start that was killed
        told = {row: self._changed.get(row, {}) for row in rows}
        _append(draft, [{"row": row, "id": self._ids[row], "columns": told[row]} for row in rows])
        draft.replace(self._path)
        _sync(self._path.parent)

    def _read(self) -> None:
        """Takes up what was added; an unfinished line is cut off, nobody was told of it."""
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._path, whole)
        lines = data[:whole].splitlines()
        for number, line in enumerate(lines):
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self._path} is damaged in line {number + 1}: bring it back from a copy."
                ) from error
        rows = sorted({*self._changed, *range(len(self._items), len(self._ids))})
        if len(lines) > MOST_TOLD * len(rows):
            self._write_anew(rows)


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    """Lines of JSON at the end of a file, on disk when this returns."""
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Makes sure that the names in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
