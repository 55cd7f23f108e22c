"""Arrow's columns in bulk, told apart without importing Arrow.

pyarrow is imported only when one of its columns has come, so that a server without it works. What
Arrow reads faster than Python it reads alike: where it fails, the caller's own way decides.
"""

from typing import Any, NamedTuple

import numpy as np
import xxhash
from jaxtyping import Float64, Int64, Integer, UInt64

from recsys.features.hashing import MISSING, fingerprint

_OF_NOTHING = np.uint64(xxhash.xxh3_64_intdigest(b""))


class Distinct(NamedTuple):
    """A column as its different values and the number of the one that each cell holds."""

    values: Any  # an Arrow array; a null is a value
    cells: Integer[np.ndarray, "cells"]


def is_arrow(column: Any) -> bool:
    """Whether a column is Arrow's."""
    return type(column).__module__.partition(".")[0] == "pyarrow"


def distinct(column: Any) -> Distinct:
    """The different values of a column."""
    import pyarrow as pa

    coded = _whole(column)
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    values, cells = coded.dictionary, coded.indices
    if cells.null_count:
        cells = cells.cast("int32").fill_null(len(values))
        values = pa.concat_arrays([values, pa.nulls(1, values.type)])
    return Distinct(values, cells.to_numpy())


def names(values: Any) -> UInt64[np.ndarray, "values"]:
    """The fingerprints of an Arrow array, each value hashed by itself."""
    import pyarrow as pa

    kind = values.type
    if pa.types.is_null(kind):
        return np.full(len(values), MISSING)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        values = values.cast("string")
    elif not _is_text(kind):
        return fingerprint(values.to_numpy(zero_copy_only=False))
    texts = np.asarray(values.cast("large_binary").fill_null(b"")).tolist()
    found = np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(texts))
    found[found == MISSING] = 1  # as fingerprint() does
    for at in np.flatnonzero(found == _OF_NOTHING):
        found[at] = found[at] if texts[at] else MISSING
    return found


def doubles(column: Any) -> Float64[np.ndarray, "rows"] | None:
    """A column of numbers or their text, NaN for null and no text; None where a cell is neither."""
    import pyarrow as pa

    values = _filled(_plain(column))
    try:
        return values.cast("double", safe=False).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def seconds(column: Any, date_format: str | None) -> Float64[np.ndarray, "rows"] | None:
    """A column of dates as seconds since 1970, NaN where empty; None where some cell is no date.

    Text wants a format of `strptime`, or None for ISO 8601 without a zone.
    """
    import pyarrow as pa

    values, functions = _filled(_plain(column)), compute()
    if not (pa.types.is_temporal(values.type) or _is_text(values.type)):
        return None
    try:
        if _is_text(values.type) and date_format is not None:
            times = functions.strptime(values, format=date_format, unit="s")
            # Arrow takes the 31st of February for a day of March; written out again, it differs.
            again = functions.strftime(times, format=date_format)
            if not functions.all(functions.equal(again, values)).as_py():
                return None
            values = times
        whole = values.cast("timestamp[us]", safe=False).cast("int64")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return whole.cast("double", safe=False).to_numpy(zero_copy_only=False) / 1e6


def lists(column: Any) -> tuple[Any, Int64[np.ndarray, "rows"]] | None:
    """The values of all lists in one array, and how many each has; None for another column."""
    import pyarrow as pa

    whole = _whole(column)
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(test(whole.type) for test in tests):
        return None
    return _flat(whole)


def parts(column: Any, separator: str, blanks: str) -> tuple[Any, Int64[np.ndarray, "rows"]] | None:
    """The parts of all texts without blanks around them, and how many each text has.

    None for another column.
    """
    import pyarrow as pa

    whole = _plain(column)
    if pa.types.is_null(whole.type):
        whole = whole.cast("string")
    if not _is_text(whole.type):
        return None
    values, lengths = _flat(compute().split_pattern(whole, separator))
    return compute().utf8_trim(values, blanks), lengths


def compute() -> Any:
    """Arrow's functions, which it makes when imported, so that no checker knows them."""
    import pyarrow.compute

    return pyarrow.compute


def _flat(whole: Any) -> tuple[Any, Int64[np.ndarray, "rows"]]:
    lengths = compute().list_value_length(whole).fill_null(0)
    return whole.flatten(), lengths.cast("int64").to_numpy(zero_copy_only=False)


def _whole(column: Any) -> Any:
    """A column in one piece."""
    if not hasattr(column, "chunks"):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _plain(column: Any) -> Any:
    """A column in one piece, every cell with its own value."""
    import pyarrow as pa

    whole = _whole(column)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _filled(values: Any) -> Any:
    """Null for empty text: a cast that fails costs much, and empty cells are common."""
    if not _is_text(values.type):
        return values
    functions = compute()
    return functions.if_else(functions.equal(functions.binary_length(values), 0), None, values)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    tests = ("is_string", "is_large_string", "is_binary", "is_large_binary")
    return any(getattr(pa.types, test)(kind) for test in tests)
