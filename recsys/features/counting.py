"""How often each value of a stream came, at 12 bytes a value, and the vocabulary made of it.

Fingerprints stand sorted beside 32-bit counts. New ones gather in a small sorted buffer and are
moved into place from time to time, without a second copy of what is there; ranks by frequency are
worked out where the counts stood. So a vocabulary of hundreds of millions costs what it weighs.
"""

import numpy as np
from jaxtyping import Integer, Shaped, UInt64

from recsys.features.hashing import MISSING
from recsys.features.vocabulary import Vocabulary

_BLOCK = 2**18  # values that are moved at a time
_WAITING = 2**16  # new values that may wait, and one for each sixteen in place
_MOST = 2**32 - 1  # what 32 bits count to


class Counts:
    """Fingerprints with counts; hands them over once, as a vocabulary."""

    def __init__(self) -> None:
        """Nothing seen."""
        self.cells = 0  # how many values came, missing ones too
        self._keys, self._counts = _empty()  # sorted, each once
        self._new_keys, self._new_counts = _empty()  # sorted, none of them above

    def __len__(self) -> int:
        """How many different values came."""
        return len(self._keys) + len(self._new_keys)

    def add(
        self,
        fingerprints: UInt64[np.ndarray, "values"],
        counts: Integer[np.ndarray, "values"] | None = None,
    ) -> None:
        """Takes note of values; missing ones have no entry.

        Args:
            fingerprints: Any values, in any order.
            counts: How often each came; None is once.
        """
        if counts is None:
            keys, counts = np.unique(fingerprints, return_counts=True)
        else:
            keys, counts = _sorted(fingerprints[counts > 0], counts[counts > 0])
        self.cells += int(counts.sum())
        if self.cells > _MOST and self._counts.dtype == np.uint32:
            self._counts = self._counts.astype(np.uint64)
            self._new_counts = self._new_counts.astype(np.uint64)
        new = keys != MISSING
        new[new] = ~_tally(self._keys, self._counts, keys[new], counts[new])
        new[new] = ~_tally(self._new_keys, self._new_counts, keys[new], counts[new])
        place = np.searchsorted(self._new_keys, keys[new])
        self._new_keys = np.insert(self._new_keys, place, keys[new])
        self._new_counts = np.insert(self._new_counts, place, counts[new])
        if len(self._new_keys) > _WAITING + len(self._keys) // 16:
            self._settle()

    def vocabulary(self, min_count: int = 1, max_values: int | None = None) -> Vocabulary:
        """The vocabulary of what came; nothing is left here.

        Args:
            min_count: Rarer values are left out, and so unknown.
            max_values: At most so many of the most frequent values are kept.
        """
        self._settle()
        keys, counts = self._keys, self._counts
        self._keys, self._counts = _empty()
        if min_count > 1:
            _keep(counts, min_count, keys)
        levels, sizes = _levels(counts)
        ranks = _rank(counts, levels, sizes)
        if max_values is not None and max_values < len(keys):
            keys, ranks = keys[ranks < max_values], ranks[ranks < max_values]
            sizes = np.diff(np.minimum(np.cumsum(sizes), max_values), prepend=0)
        return Vocabulary(keys, ranks, levels[sizes > 0], sizes[sizes > 0])

    def _settle(self) -> None:
        """Moves what is new into place, from the back, so that nothing unread is written over."""
        place = np.searchsorted(self._keys, self._new_keys)
        rows, left = len(self._keys), len(place)
        self._keys.resize(rows + left, refcheck=False)
        self._counts.resize(rows + left, refcheck=False)
        for stop in range(rows, -1, -_BLOCK):
            start = max(stop - _BLOCK, 0)
            first = int(np.searchsorted(place, start, side="right")) if start else 0
            at, new = place[first:left] - start, slice(first, left)
            for held, waiting in (
                (self._keys, self._new_keys),
                (self._counts, self._new_counts),
            ):
                held[start + first : stop + left] = np.insert(held[start:stop], at, waiting[new])
            left = first
            if not start:
                break
        self._new_keys, self._new_counts = _empty(self._counts.dtype)


def _empty(counts: np.dtype | type = np.uint32) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0, np.uint64), np.zeros(0, counts)


def _sorted(
    fingerprints: UInt64[np.ndarray, "values"], counts: Integer[np.ndarray, "values"]
) -> tuple[np.ndarray, np.ndarray]:
    """Rising fingerprints, each once, with the sum of its counts."""
    order = np.argsort(fingerprints)
    keys, counts = fingerprints[order], counts[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    return keys[first], np.add.reduceat(counts, first) if len(first) else counts


def _tally(
    held: UInt64[np.ndarray, "held"],
    counts: Shaped[np.ndarray, "held"],
    keys: UInt64[np.ndarray, "keys"],
    more: Integer[np.ndarray, "keys"],
) -> np.ndarray:
    """Adds to the counts of the keys that are held, and says which are."""
    if not len(held):
        return np.zeros(len(keys), bool)
    place = np.minimum(np.searchsorted(held, keys), len(held) - 1)
    is_held = held[place] == keys
    counts[place[is_held]] += more[is_held].astype(counts.dtype)
    return is_held


def _keep(counts: np.ndarray, least: int, keys: np.ndarray) -> None:
    """Drops in place the keys that came too seldom."""
    kept = 0
    for start in range(0, len(keys), _BLOCK):
        block = slice(start, start + _BLOCK)
        often = counts[block] >= least
        count = int(often.sum())
        keys[kept : kept + count] = keys[block][often]
        counts[kept : kept + count] = counts[block][often]
        kept += count
    keys.resize(kept, refcheck=False)
    counts.resize(kept, refcheck=False)


def _levels(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different counts, falling, and how many keys have each: few, as counts of a log are."""
    levels, sizes = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for start in range(0, len(counts), _BLOCK):
        found, times = np.unique(counts[start : start + _BLOCK], return_counts=True)
        levels, back = np.unique(
            np.concatenate([levels, found]).astype(np.int64), return_inverse=True
        )
        sizes = np.bincount(back, np.concatenate([sizes, times])).astype(np.int64)
    return levels[::-1], sizes[::-1]


def _rank(counts: np.ndarray, levels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Places by falling count and then by key, written over the counts where they fit."""
    ranks = counts if counts.dtype == np.uint32 else np.zeros(len(counts), np.uint32)
    first = np.cumsum(sizes) - sizes  # the next free place of each level
    rising = levels[::-1]
    for start in range(0, len(counts), _BLOCK):
        block = slice(start, start + _BLOCK)
        level = len(levels) - 1 - np.searchsorted(rising, counts[block])
        order = np.argsort(level, kind="stable")
        ordered = level[order]
        before = np.searchsorted(ordered, ordered)  # places of the levels before, in the block
        ranks[block][order] = first[ordered] + np.arange(len(order)) - before
        first += np.bincount(level, minlength=len(first))
    return ranks
