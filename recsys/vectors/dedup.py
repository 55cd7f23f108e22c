"""Vectors that are nearly the same share one."""

import dataclasses

import numpy as np
from jaxtyping import Int

from recsys.vectors.bits import pack, row_bytes, unpack
from recsys.vectors.method import Arrays, Decode, Vectors, require

STEPS = 40  # of the bisection


@dataclasses.dataclass(frozen=True)
class Dedup:
    """Rows that fall into one bucket of a locality-sensitive hash share their mean.

    The hash is that of distances (Datar et al., SoCG 2004); its buckets are as wide as the budget
    makes them. Dedup of Zhou et al., VLDB 2022, finds blocks of tensors alike in the same way.
    """

    projections: int = 8  # of the hash

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        require(self, self._bytes(rows, dim, 1), budget_bytes=budget_bytes, vectors=vectors)
        rng = np.random.default_rng(seed)
        lines = rng.normal(size=(dim, self.projections))
        places, offset = vectors @ lines, rng.random(self.projections)

        def buckets(width: float) -> Int[np.ndarray, " rows"]:
            cells = np.floor(places / width + offset).astype(np.int64)
            return np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)

        def fits(width: float) -> bool:
            return self._bytes(rows, dim, int(buckets(width).max()) + 1) <= budget_bytes

        span = float(np.ptp(places, axis=0).max()) or 1.0
        low, high = span * 1e-6, span * 4
        while not fits(high):
            high *= 2
        if fits(low):
            high = low
        for _ in range(STEPS):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if fits(middle) else (middle, high)
        bucket = buckets(high)
        count = np.bincount(bucket)
        shared = np.zeros((len(count), dim))
        np.add.at(shared, bucket, vectors)
        return {
            "vectors": (shared / count[:, None]).astype(np.float32),
            "bucket": pack(bucket[None, :], _bits(len(count)))[0],
            "rows": np.array(rows),
        }

    def reader(self, arrays: Arrays) -> Decode:
        vectors = arrays["vectors"]
        bits = _bits(len(vectors))
        bucket = unpack(arrays["bucket"][None, :], bits, int(arrays["rows"]))[0]
        return lambda ids: vectors[bucket[ids]]

    def _bytes(self, rows: int, dim: int, kept: int) -> int:
        return 4 * dim * kept + row_bytes(_bits(kept), rows)


def _bits(count: int) -> int:
    """That name one of so many."""
    return max(1, (count - 1).bit_length())
