"""Dates and times as seconds since 1970: of text, numbers, and types that know what a date is."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from jaxtyping import Float64

from recsys.features import arrow
from recsys.features.columns import Column, as_array, is_missing, refuse

ISO = "iso"
UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6}  # of numbers since 1970
_EARLIEST, _LATEST = -62135596800.0, 253402300800.0  # the years 1 to 9999


def check_format(date_format: str | None) -> str | None:
    """What is wrong with a date format, if anything."""
    if date_format in (None, ISO, *UNITS) or "%" in date_format:
        return None
    return (
        f"wants a date_format of strptime, such as '%d/%m/%Y', or one of "
        f"{', '.join([ISO, *UNITS])}, got {date_format!r}: write one of these."
    )


def seconds(
    column: Column, name: str, date_format: str | None = None
) -> Float64[np.ndarray, "rows"]:
    """A column of dates as seconds since 1970, UTC where they name no zone; missing is NaN.

    Args:
        column: Of numbers, text, or types that know what a date is.
        name: Of the column.
        date_format: One of strptime, or a unit of numbers; "iso" or None reads ISO 8601, and
            numbers as seconds.

    Raises:
        BadCellsError: some cell holds no such date.
    """
    date_format = None if date_format == ISO else date_format
    values = None
    if arrow.is_arrow(column) and date_format not in UNITS:
        values = arrow.seconds(column, date_format)
    if values is None:
        values = _seconds(column, date_format)
    wanted = "dates in ISO 8601 or seconds" if date_format is None else f"dates as {date_format!r}"
    refuse(~(np.isnan(values) | (values >= _EARLIEST) & (values < _LATEST)), column, name, wanted)
    return values


def _seconds(column: Column, date_format: str | None) -> Float64[np.ndarray, "rows"]:
    if arrow.is_arrow(column):
        numbers = arrow.doubles(column) if date_format in (None, *UNITS) else None
        if numbers is not None:
            return numbers * UNITS[date_format or "seconds"]
        distinct, cells = arrow.distinct(column)
        cells_of, distinct = cells, distinct.to_pylist()
    else:
        values = as_array(column)
        if values.dtype.kind == "M":
            whole = values.astype("datetime64[us]").astype(np.int64) / 1e6
            return np.where(np.isnat(values), np.nan, whole)
        if values.dtype.kind in "iuf" and date_format in (None, *UNITS):
            return values * UNITS[date_format or "seconds"]
        cells_of, distinct = slice(None), values.tolist()
    known = {value: _second(value, date_format) for value in set(distinct)}
    return np.array([known[value] for value in distinct], np.float64)[cells_of]


def _second(value: Any, date_format: str | None) -> float:
    """One date, NaN for what is missing, infinity for what is no date."""
    if is_missing(value) or value in ("", b""):
        return np.nan
    try:
        if isinstance(value, date):  # a datetime is one too
            return _since_1970(datetime.fromisoformat(value.isoformat()))
        text = _text(value)
        if date_format in UNITS:
            return float(text) * UNITS[date_format]
        if date_format is not None:
            return _since_1970(datetime.strptime(text, date_format))
    except (ValueError, OverflowError):
        return np.inf
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return _since_1970(datetime.fromisoformat(text))
    except ValueError:
        return np.inf


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a missing cell turns a column of integers into floats
    return value.decode() if isinstance(value, bytes) else str(value)


def _since_1970(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
