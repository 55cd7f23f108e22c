"""Columns of a log as arrays: numbers, labels, and what to say of cells that are neither.

A column is anything with rows: a list, a NumPy array (masked or not), a pandas Series, an Arrow
array. Nothing here knows what a feature is.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Integer, Shaped

from recsys.features import arrow

_NUMBER_KINDS = "biufUSTO"  # NumPy's letters: all but dates, complex numbers and records
_NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "\\n"})  # instead of a number
_CLAIMS = {"true": 1.0, "false": 0.0}


@runtime_checkable
class Column(Protocol):
    """Anything with rows."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class BadCellsError(ValueError):
    """The cells of a column that cannot be read: all of them, so that their rows can be dropped."""

    def __init__(
        self, column: str, wanted: str, rows: Integer[np.ndarray, "bad"], values: Sequence[Any]
    ) -> None:
        """One value for each row that has a bad one."""
        super().__init__(column, wanted, rows, values)
        self.column = column
        self.wanted = wanted  # as in "wants finite numbers"
        self.rows = rows
        self.values = values

    def __str__(self) -> str:
        return (
            f"Column {self.column!r} wants {self.wanted}, got {self.values[0]!r} at row "
            f"{self.rows[0]}: mend that row or drop it."
        )

    def reasons(self) -> list[str]:
        """Why each row is refused, as a clause."""
        told = f"column {self.column!r} wants {self.wanted}, got"
        return [f"{told} {value!r}" for value in self.values]


def refuse(
    bad: Bool[np.ndarray, "rows"], column: Column, name: str, wanted: str, *, shown: Any = None
) -> None:
    """Raises BadCellsError where any row is bad.

    Args:
        bad: Which rows are.
        column: As it came.
        name: Of the column.
        wanted: What each cell should have been.
        shown: What to show of a bad cell, if not the cell itself.
    """
    if bad.any():
        rows = np.flatnonzero(bad)
        cells = column if shown is None else shown
        cells = cells if hasattr(cells, "__getitem__") else list(cells)
        raise BadCellsError(name, wanted, rows, [_plain(cells, row) for row in rows.tolist()])


def as_array(column: Column) -> Shaped[np.ndarray, "..."]:
    """A column as an array; a list of mixed things, or of lists, stays one of objects."""
    if isinstance(column, np.ma.MaskedArray):
        return np.array(column.tolist(), object)  # a masked cell becomes None
    if hasattr(column, "__array__"):
        return np.asarray(column)
    rows = list(column)
    if set(map(type, rows)) in ({int}, {float}):
        return np.array(rows)
    return np.fromiter(rows, object, len(rows))  # np.array would make a matrix of lists


def numbers(column: Column, name: str) -> Float64[np.ndarray, "rows"]:
    """A column of numbers, or of their text; what is missing is NaN.

    Raises:
        BadCellsError: some cell holds no number, or one that no float32 can hold.
    """
    wide = arrow.doubles(column) if arrow.is_arrow(column) else None
    if wide is None:
        wide = _numbers(column, name)
    with np.errstate(over="ignore"):
        refuse(np.isinf(wide.astype(np.float32)), column, name, "finite numbers")
    return wide


def complete(column: Column, name: str, *, least: float) -> Float32[np.ndarray, "rows"]:
    """Labels or weights: a number in each row, none below `least`."""
    values = numbers(column, name).astype(np.float32)
    wanted = f"a number of at least {least} in each row"
    refuse(~(values >= least), column, name, wanted, shown=values)
    return values


def is_missing(value: Any) -> bool:
    """Whether a cell holds None, NaN or pandas' own words for them."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _numbers(column: Column, name: str) -> Float64[np.ndarray, "rows"]:
    if arrow.is_arrow(column):
        values, cells = arrow.distinct(column)
        return np.array([_number(value) for value in values.to_pylist()], np.float64)[cells]
    values = as_array(column)
    if values.ndim != 1 or values.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(
            f"Column {name!r} wants one number in each row, got an array of {values.dtype} with "
            f"shape {values.shape}: make it one column of numbers."
        )
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        return np.array([_number(value) for value in values.tolist()], np.float64)


def _number(value: Any) -> float:
    """The number, NaN for what is missing, infinity for what is no number."""
    if is_missing(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        word = value.decode(errors="replace") if isinstance(value, bytes) else value
        word = word.strip().lower() if isinstance(word, str) else "?"
        return np.nan if word in _NOTHING else _CLAIMS.get(word, np.inf)


def _plain(cells: Any, row: int) -> Any:
    """A cell as Python shows it."""
    cell = cells.iloc[row] if hasattr(cells, "iloc") else cells[row]
    for method in ("as_py", "item"):
        if hasattr(cell, method):
            return getattr(cell, method)()
    return cell
