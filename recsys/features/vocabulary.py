"""Values with counts, as frequency ranks within a feature.

The most frequent value has rank 0, so hot and cold classes are comparisons of a rank and cost no
bytes; the last rank is shared by every value that the vocabulary does not know.

A log may hold hundreds of millions of values, so a vocabulary keeps 12 bytes of each: its
fingerprint, in the order that is searched, and its rank. Counts by rank are a few long runs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped, UInt32, UInt64

from recsys.features.hashing import MISSING


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The known values of a feature, most frequent first; equals in the order of fingerprints."""

    sorted: UInt64[np.ndarray, "values"]  # fingerprints in rising order
    order: UInt32[np.ndarray, "values"]  # the rank of each of them
    levels: Int64[np.ndarray, "levels"]  # the different counts, falling
    sizes: Int64[np.ndarray, "levels"]  # how many values have each

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
        return cls.from_arrays({"fingerprints": values[order], "counts": counts[order]})

    @classmethod
    def in_order(cls, fingerprints: UInt64[np.ndarray, "values"]) -> "Vocabulary":
        """The vocabulary whose ranks are the places in an array; all count the same."""
        counts = np.ones(len(fingerprints), np.int64)
        return cls.from_arrays({"fingerprints": fingerprints, "counts": counts})

    @classmethod
    def from_arrays(cls, arrays: dict[str, Shaped[np.ndarray, "..."]]) -> "Vocabulary":
        """The inverse of `to_arrays`; checks arrays that may come from a file."""
        fingerprints, counts = arrays["fingerprints"], arrays["counts"]
        kinds = (fingerprints.dtype, counts.dtype)
        shapes = (fingerprints.shape, counts.shape)
        if kinds != (np.uint64, np.int64) or len(shapes[0]) != 1 or shapes[0] != shapes[1]:
            raise ValueError(
                "Vocabulary wants uint64 fingerprints and int64 counts, one of each for a value, "
                f"got {kinds[0]} {shapes[0]} and {kinds[1]} {shapes[1]}: make it with fit()."
            )
        if (counts[1:] > counts[:-1]).any():
            raise ValueError(
                "Vocabulary wants its values most frequent first, got counts that increase: "
                "make it with fit()."
            )
        order = np.argsort(fingerprints).astype(np.uint32)
        ordered = fingerprints[order]
        if (ordered[1:] == ordered[:-1]).any() or MISSING in fingerprints:
            raise ValueError(
                "Vocabulary wants different fingerprints, none of them MISSING, got a repeated "
                "or a missing one: make it with fit()."
            )
        levels, sizes = np.unique(counts, return_counts=True)
        return cls(ordered, order, levels[::-1], sizes[::-1].astype(np.int64))

    def to_arrays(self) -> dict[str, Shaped[np.ndarray, "values"]]:
        """What to save."""
        return {"fingerprints": self.fingerprints, "counts": self.counts}

    @property
    def fingerprints(self) -> UInt64[np.ndarray, "values"]:
        """One for each value, all different, in the order of their ranks."""
        ranked = np.empty_like(self.sorted)
        ranked[self.order] = self.sorted
        return ranked

    @property
    def counts(self) -> Int64[np.ndarray, "values"]:
        """How often each value was seen, never increasing."""
        return np.repeat(self.levels, self.sizes)

    def __len__(self) -> int:
        """How many values are known."""
        return len(self.sorted)

    @property
    def size(self) -> int:
        """How many ranks there are: one for each known value, and one for all others."""
        return len(self) + 1

    @property
    def bytes(self) -> int:
        """What a server keeps in order to turn values into ranks: 8 bytes for each known value."""
        return self.sorted.nbytes

    def ranks(self, fingerprints: UInt64[np.ndarray, "*shape"]) -> UInt32[np.ndarray, "*shape"]:
        """Frequency ranks; unknown values share the last, `len(vocabulary)`."""
        if not len(self):
            return np.zeros(fingerprints.shape, np.uint32)
        place = np.searchsorted(self.sorted, fingerprints)
        place = np.minimum(place, len(self) - 1)
        is_known = self.sorted[place] == fingerprints
        return np.where(is_known, self.order[place], np.uint32(len(self)))
