"""Values with counts, as frequency ranks within a feature.

The most frequent value has rank 0, so hot and cold classes are comparisons of a rank and cost no
bytes; the last rank is shared by every value that the vocabulary does not know.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Shaped, UInt32, UInt64

from recsys.features.hashing import MISSING


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The known values of a feature, most frequent first; equals in the order of fingerprints."""

    fingerprints: Shaped[np.ndarray, "..."]  # uint64, one for each value, all different
    counts: Shaped[np.ndarray, "..."]  # int64, how often each was seen, never increasing

    def __post_init__(self) -> None:
        """Checks arrays that may come from a file."""
        kinds = (self.fingerprints.dtype, self.counts.dtype)
        shapes = (self.fingerprints.shape, self.counts.shape)
        if kinds != (np.uint64, np.int64) or len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise ValueError(
                "Vocabulary wants uint64 fingerprints and int64 counts, one of each for a value, "
                f"got {kinds[0]} {shapes[0]} and {kinds[1]} {shapes[1]}: make it with fit()."
            )
        if (self.counts[1:] > self.counts[:-1]).any():
            raise ValueError(
                "Vocabulary wants its values most frequent first, got counts that increase: "
                "make it with fit()."
            )
        if (self._sorted[1:] == self._sorted[:-1]).any() or MISSING in self.fingerprints:
            raise ValueError(
                "Vocabulary wants different fingerprints, none of them MISSING, got a repeated "
                "or a missing one: make it with fit()."
            )

    @classmethod
    def fit(
        cls,
        fingerprints: UInt64[np.ndarray, "..."],
        min_count: int = 1,
        max_values: int | None = None,
    ) -> "Vocabulary":
        """The vocabulary of what was seen.

        Args:
            fingerprints: Missing ones are not counted: they are unknown.
            min_count: Rarer values are left out, and so unknown.
            max_values: At most so many of the most frequent values are kept.
        """
        values, counts = np.unique(fingerprints[fingerprints != MISSING], return_counts=True)
        kept = counts >= min_count
        values, counts = values[kept], counts[kept].astype(np.int64)
        order = np.lexsort((values, -counts))[:max_values]
        return cls(fingerprints=values[order], counts=counts[order])

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Vocabulary":
        """The inverse of `to_arrays`."""
        return cls(fingerprints=arrays["fingerprints"], counts=arrays["counts"])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """What to save."""
        return {"fingerprints": self.fingerprints, "counts": self.counts}

    def __len__(self) -> int:
        """How many values are known."""
        return len(self.fingerprints)

    @property
    def size(self) -> int:
        """How many ranks there are: one for each known value, and one for all others."""
        return len(self) + 1

    @property
    def bytes(self) -> int:
        """What a server keeps in order to turn values into ranks: 8 bytes for each known value."""
        return self.fingerprints.nbytes

    def ranks(self, fingerprints: UInt64[np.ndarray, "*shape"]) -> UInt32[np.ndarray, "*shape"]:
        """Frequency ranks; unknown values share the last, `len(vocabulary)`."""
        if not len(self):
            return np.zeros(fingerprints.shape, np.uint32)
        place = np.searchsorted(self._sorted, fingerprints)
        place = np.minimum(place, len(self) - 1)
        is_known = self._sorted[place] == fingerprints
        return np.where(is_known, self._order[place], np.uint32(len(self)))

    @cached_property
    def _order(self) -> UInt32[np.ndarray, "values"]:
        return np.argsort(self.fingerprints).astype(np.uint32)

    @cached_property
    def _sorted(self) -> UInt64[np.ndarray, "values"]:
        return self.fingerprints[self._order]
