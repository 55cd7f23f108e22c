"""How often the values of a column come, in bounded memory: how many, the head, and a sample.

Two sketches of (fingerprint, count, text). The *sample* keeps the values with the least
fingerprints, which are as good as random: each with its exact count, since a value that is among
the least at the end was so from its first cell. It is exact while there are fewer than it holds,
and estimates the number of values from the largest fingerprint it kept afterwards (Bar-Yossef et
al., RANDOM 2002: k-minimum values). The *head* keeps the values with the greatest counts, each low
by at most `short` cells (Misra and Gries, 1982, merged as by Agarwal et al., PODS 2012).
"""

import dataclasses

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int64, UInt64

from recsys.features.hashing import MISSING

SAMPLED = 2**14  # values: the number of values is off by about 1 / sqrt(SAMPLED), 0.8%
HEADED = 2**11
TEXT_LIMIT = 500  # characters of a value that are kept


@dataclasses.dataclass(frozen=True)
class Value:
    """A value and how many cells held it."""

    text: str
    count: int


class Frequencies:
    """The values of a column."""

    def __init__(self, sampled: int = SAMPLED, headed: int = HEADED) -> None:
        """Nothing seen."""
        self.cells = 0
        self.short = 0
        self._sampled, self._headed = sampled, headed
        self._sample, self._head = _Held(), _Held()

    def add(
        self,
        keys: UInt64[np.ndarray, "values"],
        counts: Int64[np.ndarray, "values"],
        texts: pa.Array,
    ) -> None:
        """Takes note of cells: fingerprints, how many cells hold each, and the text of each."""
        keys, first, back = np.unique(keys, return_index=True, return_inverse=True)
        counts = np.bincount(back, counts, len(keys)).astype(np.int64)
        there = keys != MISSING
        keys, counts, first = keys[there], counts[there], first[there]
        self.cells += int(counts.sum())
        low = slice(None)
        if len(self._sample.keys) == self._sampled:
            low = slice(int(np.searchsorted(keys, self._sample.keys[-1], side="right")))
        self._sample.add(keys[low], counts[low], texts, first[low])
        self._sample.keep(np.arange(len(self._sample.keys)) < self._sampled)
        self._head.add(keys, counts, texts, first)
        over = len(self._head.keys) - self._headed
        if over > 0:
            cut = int(np.partition(self._head.counts, over - 1)[over - 1])
            self._head.counts -= cut
            self._head.keep(self._head.counts > 0)
            self.short += cut

    @property
    def is_exact(self) -> bool:
        """Whether every value is in the sample."""
        return len(self._sample.keys) < self._sampled

    @property
    def values(self) -> int:
        """How many different values there are, about."""
        kept = len(self._sample.keys)
        if self.is_exact:
            return kept
        estimate = round((kept - 1) * 2.0**64 / float(self._sample.keys[-1]))
        return min(estimate, self.cells)

    @property
    def once(self) -> float:
        """The share of values that came once, about."""
        counts = self._sample.counts
        return float((counts == 1).mean()) if len(counts) else 0.0

    def sample(self, most: int = SAMPLED) -> list[Value]:
        """Values drawn at random, with exact counts."""
        return [self._sample.value(at) for at in range(min(most, len(self._sample.keys)))]

    def head(self, most: int) -> list[Value]:
        """The most frequent values, most frequent first; counts may be low by `short`."""
        held = self._sample if self.is_exact else self._head
        order = np.argsort(-held.counts, kind="stable")[:most]
        return [held.value(int(at)) for at in order]


class _Held:
    """Values in the order of their fingerprints."""

    def __init__(self) -> None:
        self.keys = np.zeros(0, np.uint64)
        self.counts = np.zeros(0, np.int64)
        self._texts = np.zeros(0, object)

    def add(
        self,
        keys: UInt64[np.ndarray, "values"],
        counts: Int64[np.ndarray, "values"],
        texts: pa.Array,
        where: Int64[np.ndarray, "values"],
    ) -> None:
        """Adds to the counts of values that are held, and holds the others; keys must rise."""
        place = np.searchsorted(self.keys, keys)
        held = np.zeros(len(keys), bool)
        if len(self.keys):
            held = self.keys[np.minimum(place, len(self.keys) - 1)] == keys
        self.counts[place[held]] += counts[held]
        new = [text[:TEXT_LIMIT] for text in texts.take(pa.array(where[~held])).to_pylist()]
        self.keys = np.insert(self.keys, place[~held], keys[~held])
        self.counts = np.insert(self.counts, place[~held], counts[~held])
        self._texts = np.insert(self._texts, place[~held], np.array(new, object))

    def keep(self, kept: Bool[np.ndarray, "values"]) -> None:
        """Lets go of the other values."""
        if not kept.all():
            self.keys, self.counts = self.keys[kept], self.counts[kept]
            self._texts = self._texts[kept]

    def value(self, at: int) -> Value:
        return Value(self._texts[at], int(self.counts[at]))
