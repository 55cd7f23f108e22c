"""SVD by magnitude: long vectors keep more directions."""

import dataclasses

import numpy as np

from recsys.vectors.magnitude import GROUPS, by_group, grouped, packed_groups
from recsys.vectors.method import Arrays, Decode, Vectors, require
from recsys.vectors.svd import SVD, cut_to_rank

POWER = 0.3  # of a group's rows, that its rank falls with
STEPS = 60  # of the bisection


@dataclasses.dataclass(frozen=True)
class MagnitudeSVD:
    """Groups of equal norm mass, each with an SVD of a rank that falls with its rows to the power
    0.3 (as MagSVD of Zhang et al., "Experimental Analysis of Large-scale Learnable Vector Storage
    Compression", VLDB 2024).
    """

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        dim, group = vectors.shape[1], grouped(vectors)
        counts, names = np.bincount(group, minlength=GROUPS), packed_groups(group)
        there = np.flatnonzero(counts)

        def ranks(scale: float) -> np.ndarray:
            wanted = scale * counts[there] ** -POWER + 1e-6  # a whole number is meant as one
            return np.clip(wanted, 1, np.minimum(dim, counts[there])).astype(np.int64)

        def bytes_of(scale: float) -> int:
            return names.nbytes + int((4 * ranks(scale) * (counts[there] + dim)).sum())

        require(self, bytes_of(0.0), budget_bytes=budget_bytes, vectors=vectors)
        low, high = 0.0, dim * float(counts.max()) ** POWER
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if bytes_of(middle) <= budget_bytes else (low, middle)
        scale = high if bytes_of(high) <= budget_bytes else low
        arrays = {"groups": names, "shape": np.array(vectors.shape)}
        for number, rank in zip(there.tolist(), ranks(scale).tolist(), strict=True):
            found = cut_to_rank(vectors[group == number], rank)
            arrays |= {f"{name}{number}": array for name, array in found.items()}
        return arrays

    def reader(self, arrays: Arrays) -> Decode:
        rows, dim = arrays["shape"].tolist()
        parts = ("coordinates", "directions")
        readers = [
            SVD().reader({name: arrays[f"{name}{number}"] for name in parts})
            if f"coordinates{number}" in arrays
            else None
            for number in range(GROUPS)
        ]
        return by_group(arrays["groups"], rows, dim, readers)
