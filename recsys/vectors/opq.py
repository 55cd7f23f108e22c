"""Product quantisation behind a rotation that makes parts independent."""

import dataclasses

import numpy as np

from recsys.vectors.method import Arrays, Decode, Vectors, require
from recsys.vectors.pq import PQ, cuts_of, faiss, largest, quantised, quantiser_of


@dataclasses.dataclass(frozen=True)
class OPQ:
    """PQ of rotated vectors, the rotation learned with the codes (Ge et al., CVPR 2013; faiss)."""

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        cuts = cuts_of(rows, dim)
        rotation_bytes = 4 * dim * dim
        floor = min(cut.bytes(rows, dim) for cut in cuts) + rotation_bytes
        require(self, floor, budget_bytes=budget_bytes, vectors=vectors)
        cut = largest(cuts, rows, dim, budget_bytes - rotation_bytes)
        with faiss(vectors) as library:
            learned = library.OPQMatrix(dim, cut.parts)
            quantiser = quantiser_of(library, dim, cut, seed=seed)
            learned.pq, learned.verbose = quantiser, False
            learned.train(np.ascontiguousarray(vectors))
            rotation = library.vector_to_array(learned.A).reshape(dim, dim).copy()
        return {**quantised(vectors @ rotation.T, cut, seed=seed), "rotation": rotation}

    def reader(self, arrays: Arrays) -> Decode:
        rotated, rotation = PQ().reader(arrays), arrays["rotation"]
        return lambda ids: rotated(ids) @ rotation  # its transpose is its inverse
