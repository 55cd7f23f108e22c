"""Columns of lists: values of all rows side by side, and padded to one length.

A list comes as such, as a row of a matrix, as text with separators, or as the words of a text.
"""

import dataclasses
import re
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from recsys.features import arrow
from recsys.features.columns import Column, as_array, is_missing, refuse

BLANKS = " \t"  # what may surround a part of a cell
_WORD = re.compile(r"\w+")


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


def lists(column: Column, name: str, separator: str | None = None) -> Ragged:
    """A column of lists, a matrix, or text that a separator cuts into parts.

    A missing list is an empty one, a masked cell is left out.
    """
    found = _in_bulk(column, separator)
    if found is not None:
        return found
    rows = np.asarray(column) if hasattr(column, "__array__") else list(column)
    rows = [() if is_missing(row) else _parts(row, separator) for row in rows]
    wrong = [isinstance(row, str | bytes) or not hasattr(row, "__len__") for row in rows]
    wanted = "a list of values in each row (or text and the feature's separator)"
    refuse(np.array(wrong, bool), column, name, wanted)
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    filled = [row for row in rows if len(row)]  # an empty array may have another type
    if filled and all(isinstance(row, np.ndarray) for row in filled):
        return Ragged(np.concatenate(filled), lengths)
    return Ragged(list(chain.from_iterable(filled)), lengths)


def words(column: Column, name: str) -> Ragged:
    """The words of a column of text, in small letters."""
    found = [_WORD.findall(text.lower()) for text in texts(column, name)]
    lengths = np.fromiter(map(len, found), np.int64, len(found))
    return Ragged(list(chain.from_iterable(found)), lengths)


def texts(column: Column, name: str) -> list[str]:
    """A column of text; "" where it is missing."""
    rows = list(column) if arrow.is_arrow(column) else as_array(column).tolist()
    rows = [row.as_py() if hasattr(row, "as_py") else row for row in rows]
    rows = ["" if is_missing(row) else row for row in rows]
    wrong = [isinstance(row, list | tuple | dict) for row in rows]
    refuse(np.array(wrong, bool), column, name, "one text in each row")
    return [_text(row) for row in rows]


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


def fill(
    values: UInt64[np.ndarray, "values"],
    *,
    present: Bool[np.ndarray, "values"],
    lengths: Int64[np.ndarray, "rows"],
    default: UInt64[np.ndarray, "default"],
) -> Ragged:
    """Lists without what is missing, and with the default where nothing is left."""
    row = np.repeat(np.arange(len(lengths)), lengths)[present]
    count = np.bincount(row, minlength=len(lengths))
    empty = count == 0
    place = np.repeat((np.cumsum(count) - count)[empty], len(default))
    filled = np.insert(values[present], place, np.tile(default, int(empty.sum())))
    return Ragged(filled, np.where(empty, len(default), count))


def _in_bulk(column: Column, separator: str | None) -> Ragged | None:
    if isinstance(column, np.ma.MaskedArray) and column.ndim == 2:
        lengths = (~np.ma.getmaskarray(column)).sum(axis=1)
        return Ragged(column.compressed(), lengths.astype(np.int64))
    if isinstance(column, np.ndarray) and column.ndim == 2:
        return Ragged(column.ravel(), np.full(len(column), column.shape[1], np.int64))
    if not arrow.is_arrow(column):
        return None
    found = arrow.lists(column)
    if found is None and separator is not None:
        found = arrow.parts(column, separator, BLANKS)
    return None if found is None else Ragged(*found)


def _parts(row: Any, separator: str | None) -> Any:
    if separator is None or not isinstance(row, str | bytes):
        return row
    return [part.strip(BLANKS) for part in _text(row).split(separator)]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
