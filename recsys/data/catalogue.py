"""What items are called: their names as the log spells them, and their titles where it has them.

Models and stores know items by fingerprints; people who read an answer do not.
"""

import dataclasses
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from jaxtyping import Int, UInt64

from recsys.features import Schema, arrow
from recsys.features.columns import Column, is_missing
from recsys.features.hashing import MISSING, fingerprint

NOT_THERE = -1  # of an item that a catalogue does not have


@dataclasses.dataclass(frozen=True, eq=False)
class Catalogue:
    """Items by number."""

    keys: UInt64[np.ndarray, " items"]  # fingerprints, all different
    names: tuple[str, ...]
    titles: tuple[str, ...] | None  # "" where an item has none

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.keys)

    def numbers(self, keys: UInt64[np.ndarray, " asked"]) -> Int[np.ndarray, " asked"]:
        """The numbers of fingerprints; NOT_THERE of others."""
        return places(keys, among=self.keys)

    def take(self, order: Int[np.ndarray, " items"]) -> "Catalogue":
        """The same items, numbered in another order."""
        kept = order.tolist()
        titles = None if self.titles is None else tuple(self.titles[at] for at in kept)
        return Catalogue(self.keys[order], tuple(self.names[at] for at in kept), titles)

    def find(self, name: str) -> int:
        """The number of an item by its name, or by its title where no item has that name.

        Raises:
            ValueError: there is no such item, or several have the title.
        """
        number = int(self.numbers(fingerprint([name]))[0])
        if number != NOT_THERE:
            return number
        wanted = name.casefold()
        found = [n for n, title in enumerate(self.titles or ()) if title.casefold() == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            told = ", ".join(self.names[number] for number in found)
            raise ValueError(f"Several items are called {name!r}: give one of {told}.")
        near = [t for t in self.titles or () if wanted and t.casefold().startswith(wanted)][:3]
        also = f" (titles that begin so: {', '.join(near)})" if near else ""
        raise ValueError(
            f"No item of {len(self):,} is called {name!r}{also}: give one as the log spells it, "
            f"as {self.names[0]!r}."
        )

    def to_bytes(self) -> bytes:
        """As a Parquet file."""
        titles = self.titles if self.titles is not None else [None] * len(self)
        table = pa.table(
            {
                "key": pa.array(self.keys),
                "name": pa.array(self.names, pa.string()),
                "title": pa.array(titles, pa.string()),
            }
        )
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(table, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Catalogue":
        """The inverse of `to_bytes`."""
        table = pyarrow.parquet.read_table(io.BytesIO(content))
        names, titles = (table[name].to_pylist() for name in ("name", "title"))
        has_titles = any(title is not None for title in titles)
        return cls(table["key"].to_numpy(), tuple(names), tuple(titles) if has_titles else None)


@dataclasses.dataclass(frozen=True, eq=False)
class Called:
    """Items of some rows, each once, and what they are called there."""

    keys: UInt64[np.ndarray, " items"]
    names: list[str]
    titles: list[str] | None


class Calling:
    """A catalogue in the making; what an item is called first is its name."""

    def __init__(self) -> None:
        """Nothing seen."""
        self._names: dict[int, str] = {}
        self._titles: dict[int, str] | None = None

    def add(self, items: Called) -> None:
        """Takes note of items."""
        keys = items.keys.tolist()
        for key, name in zip(keys, items.names, strict=True):
            self._names.setdefault(key, name)
        if items.titles is not None:
            self._titles = {} if self._titles is None else self._titles
            for key, title in zip(keys, items.titles, strict=True):
                if title:
                    self._titles.setdefault(key, title)

    def finish(self) -> Catalogue:
        """All that were seen."""
        keys = sorted(self._names)
        names = tuple(self._names[key] for key in keys)
        titles = self._titles
        shown = None if titles is None else tuple(titles.get(key, "") for key in keys)
        return Catalogue(np.array(keys, np.uint64), names, shown)


def called(columns: Mapping[str, Column], schema: Schema) -> Called | None:
    """What the items of some rows are called; None where the schema names no item."""
    if schema.item is None:
        return None
    keys, first = np.unique(schema.keys("item", columns), return_index=True)
    is_there = keys != MISSING
    keys, first = keys[is_there], first[is_there]
    titles = None if schema.title is None else _texts(columns[schema.title], first)
    return Called(keys, _texts(columns[schema.item], first), titles)


def places(
    keys: UInt64[np.ndarray, " asked"], *, among: UInt64[np.ndarray, " known"]
) -> Int[np.ndarray, " asked"]:
    """Where fingerprints stand among different ones; NOT_THERE of others."""
    if not len(among):
        return np.full(len(keys), NOT_THERE)
    order = np.argsort(among)
    at = order[np.minimum(np.searchsorted(among, keys, sorter=order), len(among) - 1)]
    return np.where(among[at] == keys, at, NOT_THERE)


def _texts(column: Column, rows: Int[np.ndarray, " rows"]) -> list[str]:
    """Some cells as a person reads them."""
    if arrow.is_arrow(column):
        cells: Iterable = column.take(pa.array(rows)).to_pylist()  # type: ignore[attr-defined]
    else:
        cells = np.asarray(column, dtype=object)[rows]
    return [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    if is_missing(cell):
        return ""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    is_whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if is_whole else cell)  # as `fingerprint` reads it
