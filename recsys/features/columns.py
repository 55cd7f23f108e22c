"""Columns of a log as arrays: numbers, ragged lists, and lists padded to one length.

A column is anything with rows: a list, a NumPy array (masked or not), a pandas Series, an Arrow
array. Nothing here knows what a feature is.
"""

import dataclasses
from collections.abc import Iterator
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64

_NUMBER_KINDS = "biufUSTO"  # NumPy's letters: all but dates, complex numbers and records


@runtime_checkable
class Column(Protocol):
    """Anything with rows."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """A column of lists: the values of all rows in one list, and how many each row has."""

    values: Any  # a list or a flat array
    lengths: Int64[np.ndarray, "rows"]


@dataclasses.dataclass(frozen=True, eq=False)
class Padded:
    """A column of lists as a rectangle."""

    keys: UInt64[np.ndarray, "rows length"]
    valid: Bool[np.ndarray, "rows length"]  # False is padding, at the end of a row


def as_array(column: Column) -> np.ndarray:
    """A column as an array; a list of mixed things, or of lists, stays one of objects."""
    if isinstance(column, np.ma.MaskedArray):
        return np.array(column.tolist(), object)  # a masked cell becomes None
    if hasattr(column, "__array__"):
        return np.asarray(column)
    rows = list(column)
    if set(map(type, rows)) in ({int}, {float}):
        return np.array(rows)
    return np.fromiter(rows, object, len(rows))  # np.array would make a matrix of lists


def numbers(column: Column, name: str) -> Float32[np.ndarray, "rows"]:
    """A column of numbers, or of their text; what is missing is NaN."""
    values = as_array(column)
    if values.ndim != 1 or values.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(
            f"Column {name!r} wants one number in each row, got an array of {values.dtype} with "
            f"shape {values.shape}: make it one column of numbers."
        )
    try:
        wide = values.astype(np.float64)
    except (TypeError, ValueError):
        wide = np.array([_number(value) for value in values.tolist()], np.float64)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    bad = np.flatnonzero(np.isinf(narrow))
    if len(bad):
        raise ValueError(
            f"Column {name!r} wants finite numbers, got {values[bad[0]]!r} at row {bad[0]}: "
            "mend that row or drop it."
        )
    return narrow


def complete(column: Column, name: str, *, least: float) -> Float32[np.ndarray, "rows"]:
    """Labels or weights: a number in each row, none below `least`."""
    values = numbers(column, name)
    bad = np.flatnonzero(~(values >= least))
    if len(bad):
        raise ValueError(
            f"Column {name!r} wants a number of at least {least} in each row, got "
            f"{values[bad[0]]} at row {bad[0]}: mend that row or drop it."
        )
    return values


def lists(column: Column, name: str) -> Ragged:
    """A column of lists, or a matrix; a missing list is an empty one, a masked cell is left out."""
    if isinstance(column, np.ma.MaskedArray) and column.ndim == 2:
        lengths = (~np.ma.getmaskarray(column)).sum(axis=1)
        return Ragged(column.compressed(), lengths.astype(np.int64))
    rows = np.asarray(column) if hasattr(column, "__array__") else list(column)
    if isinstance(rows, np.ndarray) and rows.ndim == 2:
        return Ragged(rows.ravel(), np.full(len(rows), rows.shape[1], np.int64))
    rows = [() if _is_missing(row) else row for row in rows]
    for at, row in enumerate(rows):
        if isinstance(row, str | bytes) or not hasattr(row, "__len__"):
            raise TypeError(
                f"Column {name!r} wants a list of values in each row, got {row!r} at row {at}: "
                "split it, or declare the feature as categorical."
            )
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    filled = [row for row in rows if len(row)]  # an empty array may have another type
    if filled and all(isinstance(row, np.ndarray) for row in filled):
        return Ragged(np.concatenate(filled), lengths)
    return Ragged(list(chain.from_iterable(filled)), lengths)


def pad(
    keys: UInt64[np.ndarray, "values"],
    *,
    present: Bool[np.ndarray, "values"],
    lengths: Int64[np.ndarray, "rows"],
    length: int,
    keeps_last: bool,
) -> Padded:
    """Lists as a rectangle, of the first or the last `length` values that are present."""
    row = np.repeat(np.arange(len(lengths)), lengths)[present]
    count = np.bincount(row, minlength=len(lengths))
    place = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    if keeps_last:
        place = place - np.maximum(count - length, 0)[row]
    fits = (place >= 0) & (place < length)
    padded = Padded(
        keys=np.zeros((len(lengths), length), np.uint64),
        valid=np.zeros((len(lengths), length), bool),
    )
    padded.keys[row[fits], place[fits]] = keys[present][fits]
    padded.valid[row[fits], place[fits]] = True
    return padded


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _number(value: Any) -> float:
    """The number, NaN for what is missing, infinity for what is no number."""
    if _is_missing(value) or value in ("", b""):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.inf
