"""The catalogue of a release: the external ids of its items, and what is shown of them.

An item's place is its row, the same in the ids, in each column, in the vectors and in the index.
"""

import collections
import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt64

from recsys.release.manifest import write_json

IDS, COLUMNS, KEYS = "ids.json", "columns.json", "keys.npy"


@dataclasses.dataclass(frozen=True, eq=False)
class Items:
    """What is known of items by their external ids."""

    ids: list[str]
    columns: dict[str, list[Any]]  # as title, genres, year: plain values, one an item
    keys: UInt64[np.ndarray, "items"]  # what an item is called in a history

    @classmethod
    def of(
        cls,
        ids: Iterable[Any],
        columns: Mapping[str, Sequence[Any]] | None = None,
        keys: UInt64[np.ndarray, "items"] | None = None,
    ) -> "Items":
        """Items by their ids, which may be numbers; keys are their rows where nobody says else.

        Raises:
            ValueError: an id comes twice, or a column has another length.
        """
        told = [str(item) for item in ids]
        twice = [item for item, count in collections.Counter(told).items() if count > 1]
        if twice:
            raise ValueError(f"Items want different ids, got {twice[0]!r} again: number them anew.")
        found = cls(
            told,
            {name: list(column) for name, column in (columns or {}).items()},
            np.arange(len(told), dtype=np.uint64) if keys is None else keys,
        )
        lengths = {name: len(column) for name, column in found.columns.items()}
        wrong = {name: n for name, n in lengths.items() if n != len(told)}
        if wrong or len(found.keys) != len(told):
            raise ValueError(
                f"{len(told):,} items want a value and a key each, got {wrong or len(found.keys)}: "
                "give each column a cell an item."
            )
        return found

    @classmethod
    def open(cls, folder: Path) -> "Items":
        """The items of a release."""
        return cls(
            json.loads((folder / IDS).read_bytes()),
            json.loads((folder / COLUMNS).read_bytes()),
            np.load(folder / KEYS),
        )

    def save(self, folder: Path) -> None:
        """Writes them into a folder, which is made."""
        folder.mkdir(parents=True)
        write_json(folder / IDS, self.ids)
        write_json(folder / COLUMNS, self.columns)
        np.save(folder / KEYS, self.keys)

    def __len__(self) -> int:
        """How many items."""
        return len(self.ids)

    def row_of(self, item: Any) -> int | None:
        """The row of an external id; None where it is unknown."""
        return self._rows.get(str(item))

    def get(self, row: int) -> dict[str, Any]:
        """What is shown of an item."""
        return {name: column[row] for name, column in self.columns.items()}

    @functools.cached_property
    def _rows(self) -> dict[str, int]:
        return {item: row for row, item in enumerate(self.ids)}
