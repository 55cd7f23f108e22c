"""What the cells of one column look like: text, numbers, lists; counted, with nothing guessed."""

import dataclasses

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64, UInt64

from recsys.data.frequencies import Frequencies
from recsys.features import arrow
from recsys.features.summaries import Summary

_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"
_PADDED = r"^[-+]?0[0-9]"
_NOTHING = pa.array(["na", "n/a", "nan", "null", "none", "\\n"])


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """A column of one chunk by its different values."""

    lengths: Int64[np.ndarray, "rows"] | None  # of lists
    is_date: bool  # by its type
    keys: UInt64[np.ndarray, "values"]
    counts: Int64[np.ndarray, "values"]
    texts: pa.Array
    numbers: Float64[np.ndarray, "values"]  # NaN for what is none
    padded: int  # cells that begin with a zero that says nothing, as 007
    nothing: int  # cells that hold a word for a missing number


def cells_of(column: pa.ChunkedArray) -> Cells | None:
    """A column by its different values; None where they are nested, or bytes and no text."""
    found = arrow.lists(column)
    flat, lengths = (column, None) if found is None else found
    try:
        values, places = arrow.distinct(flat)
        texts = values.cast("string").fill_null("")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    counts = np.bincount(places, minlength=len(texts))
    numbers = _numbers(texts)
    functions = arrow.compute()
    is_padded = functions.match_substring_regex(texts, _PADDED).to_numpy(zero_copy_only=False)
    words = functions.is_in(functions.utf8_lower(texts), _NOTHING).to_numpy(zero_copy_only=False)
    return Cells(
        lengths=lengths,
        is_date=pa.types.is_temporal(flat.type),
        keys=arrow.names(texts),
        counts=counts,
        texts=texts,
        numbers=numbers,
        padded=int(counts[is_padded].sum()),
        nothing=int(counts[words].sum()),
    )


def _numbers(texts: pa.Array) -> Float64[np.ndarray, "values"]:
    numbers = arrow.doubles(texts)
    if numbers is None:
        functions = arrow.compute()
        texts = functions.utf8_trim_whitespace(texts)
        is_number = functions.match_substring_regex(texts, _NUMBER)
        alike = functions.if_else(is_number, texts, None)
        numbers = arrow.doubles(alike)
    assert numbers is not None
    return np.where(np.isfinite(numbers), numbers, np.nan)


class Seen:
    """A column over all its chunks."""

    def __init__(self, name: str) -> None:
        """Nothing seen."""
        self.name = name
        self.values = Frequencies()
        self.summary = Summary()  # of its numbers
        self.lengths = Summary()  # of its lists, where they are lists by type
        self.numbers = self.integers = self.padded = self.nothing = 0  # cells that are so
        self.lists = 0  # that are not empty
        self.is_date = self.is_list = self.is_strange = False
        self._draws = np.random.Philox(key=0)

    def add(self, cells: Cells | None) -> None:
        """Takes note of a chunk."""
        if cells is None:
            self.is_strange = True
            return
        self.is_date |= cells.is_date
        if cells.lengths is not None:
            self.is_list = True
            self.lists += int((cells.lengths > 0).sum())
            self.lengths.add(cells.lengths.astype(np.float64), self._draw(len(cells.lengths)))
        self.values.add(cells.keys, cells.counts, cells.texts)
        there = ~np.isnan(cells.numbers)
        each = np.repeat(cells.numbers[there], cells.counts[there])
        self.summary.add(each, self._draw(len(each)))
        self.numbers += len(each)
        self.integers += int((each == np.floor(each)).sum())
        self.padded += cells.padded
        self.nothing += cells.nothing

    @property
    def filled(self) -> int:
        """Cells, or values of lists, that hold anything."""
        return self.values.cells

    def missing(self, rows: int) -> float:
        """The share of so many rows that have no value."""
        return 1 - (self.lists if self.is_list else self.filled) / rows

    def _draw(self, count: int) -> UInt64[np.ndarray, "count"]:
        return self._draws.random_raw(count)
