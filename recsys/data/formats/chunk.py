"""What every format hands out: some rows of a log as columns, and where each of them stands."""

import dataclasses
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64

from recsys.data.rejects import Reject

Places = Int64[np.ndarray, "rows"]


@dataclasses.dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of one file, in their order; text formats leave every cell as text."""

    file: str
    table: pa.Table
    places: Places  # the line of each row, from 1; its number where the format has no lines
    unit: str = "line"  # or "row"
    rejects: tuple[Reject, ...] = ()  # rows that could not be read
    absent: frozenset[str] = frozenset()  # wanted columns that no row had; empty cells in the table

    def __len__(self) -> int:
        """How many rows."""
        return self.table.num_rows

    @property
    def columns(self) -> dict[str, pa.ChunkedArray]:
        """By name."""
        return {name: self.table[name] for name in self.table.column_names}

    def reject(self, row: int, reason: str) -> Reject:
        """A row that is read and still of no use."""
        cells = self.table.slice(row, 1).to_pylist()[0]
        text = ", ".join(f"{name}={_shown(value)}" for name, value in cells.items())
        return Reject(self.file, int(self.places[row]), reason, text, self.unit)

    def only(self, kept: Bool[np.ndarray, "rows"]) -> "Chunk":
        """The chunk without some of its rows."""
        if kept.all():
            return self
        return dataclasses.replace(
            self, table=self.table.filter(pa.array(kept)), places=self.places[kept]
        )


def _shown(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


Piece = Callable[[], Chunk]  # the costly part of reading, which threads share


@runtime_checkable
class Format(Protocol):
    """A way in which a file holds a log."""

    def pieces(self, path: Path, columns: Collection[str] | None) -> Iterator[Piece]:
        """A file bit by bit: little work here, the rest in the pieces; all columns if None."""
        ...


def check_columns(where: str, wanted: Collection[str] | None, *, there: Collection[str]) -> None:
    """Refuses a file without the wanted columns, or with two of one name."""
    names = list(there)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{where}: wants each column once, got {twice} again: rename them.")
    missing = sorted(set(wanted or ()) - set(names))
    if missing:
        raise ValueError(
            f"{where}: wants columns {missing}, got {names}: "
            "add them, or drop from the schema what reads them."
        )
