"""Product quantisation by magnitude: long vectors get more bits."""

import dataclasses

import numpy as np

from recsys.vectors.magnitude import GROUPS, by_group, grouped, packed_groups
from recsys.vectors.method import Arrays, Decode, Vectors, require
from recsys.vectors.pq import PQ, cuts_of, largest, quantised


@dataclasses.dataclass(frozen=True)
class MagnitudePQ:
    """Groups of equal norm mass with codebooks and equal bytes each (as MagPQ of Zhang et al.,
    "Experimental Analysis of Large-scale Learnable Vector Storage Compression", VLDB 2024, whose
    groups differ by a bit a code).
    """

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        dim, group = vectors.shape[1], grouped(vectors)
        counts = np.bincount(group, minlength=GROUPS)
        names = packed_groups(group)
        there = [number for number in range(GROUPS) if counts[number]]
        cuts = {number: cuts_of(int(counts[number]), dim) for number in there}
        least = {n: min(cut.bytes(int(counts[n]), dim) for cut in cuts[n]) for n in there}
        floor = names.nbytes + sum(least.values())
        require(self, floor, budget_bytes=budget_bytes, vectors=vectors)
        arrays, left = {"groups": names, "shape": np.array(vectors.shape)}, budget_bytes
        left -= names.nbytes
        for at, number in enumerate(there):  # what a group leaves goes to those after it
            later = there[at + 1 :]
            share = min(left // (len(later) + 1), left - sum(least[n] for n in later))
            share = max(share, least[number])
            cut = largest(cuts[number], int(counts[number]), dim, share)
            found = quantised(vectors[group == number], cut, seed=seed)
            left -= cut.bytes(int(counts[number]), dim)
            arrays |= {f"{name}{number}": array for name, array in found.items()}
        return arrays

    def reader(self, arrays: Arrays) -> Decode:
        rows, dim = arrays["shape"].tolist()
        readers = [
            PQ().reader({name: arrays[f"{name}{number}"] for name in ("codes", "books")})
            if f"codes{number}" in arrays
            else None
            for number in range(GROUPS)
        ]
        return by_group(arrays["groups"], rows, dim, readers)
