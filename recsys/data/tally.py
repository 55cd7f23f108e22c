"""How many examples each split got, and whether anything can be learned from them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8


class Tally:
    """Examples and labels by split."""

    def __init__(self, names: Sequence[str]) -> None:
        """Nothing seen; numbers above those of the names are left out."""
        self._names = names
        self._rows = np.zeros(len(names) + 1, np.int64)
        self._sums = np.zeros(len(names) + 1)
        self._least, self._most = np.inf, -np.inf

    def add(self, numbers: UInt8[np.ndarray, "rows"], label: Float32[np.ndarray, "rows"]) -> None:
        """Takes note of the split and label of some rows."""
        self._rows += np.bincount(numbers, minlength=len(self._rows))
        self._sums += np.bincount(numbers, label, minlength=len(self._rows))
        self._least = min(self._least, label.min(initial=np.inf))
        self._most = max(self._most, label.max(initial=-np.inf))

    @property
    def examples(self) -> dict[str, int]:
        """By split, where there are any."""
        rows = zip(self._names, self._rows.tolist(), strict=False)
        return {name: count for name, count in rows if count}

    @property
    def means(self) -> dict[str, float]:
        """The mean label of each split."""
        means = dict(zip(self._names, self._sums / np.maximum(self._rows, 1), strict=False))
        return {name: float(means[name]) for name in self.examples}

    @property
    def left_out(self) -> int:
        """How many rows no split got."""
        return int(self._rows[-1])

    def check(self, label: str | None, *, log: str) -> None:
        """Refuses a log with nothing to train on, or one label in all rows."""
        rows = int(self._rows.sum())
        if not self._rows[0]:
            raise ValueError(
                f"{log}: training wants rows, and the split leaves it none of {rows:,}: choose "
                "another split, or look at the rows that were rejected."
            )
        if label is not None and self._least == self._most:
            raise ValueError(
                f"{log}: column {label!r} wants two classes or more, got {self._least:g} in all "
                f"{rows:,} rows: choose another label, or rows that have both."
            )
