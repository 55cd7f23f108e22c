"""The largest entries of all vectors; the others are zero."""

import dataclasses

import numpy as np
from scipy.sparse import csr_array

from recsys.vectors.method import Arrays, Decode, Vectors, require


@dataclasses.dataclass(frozen=True)
class Pruning:
    """Entries by size over all rows, those that fit kept with their columns."""

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        column = np.dtype(np.min_scalar_type(dim))
        fixed, each = rows * column.itemsize, 4 + column.itemsize
        require(self, fixed + each, budget_bytes=budget_bytes, vectors=vectors)
        size = np.abs(vectors).ravel()
        kept = min((budget_bytes - fixed) // each, size.size)
        chosen = np.zeros(size.size, bool)
        chosen[np.argpartition(-size, kept - 1)[:kept]] = True
        row, place = np.nonzero(chosen.reshape(vectors.shape))
        return {
            "values": vectors[row, place],
            "columns": place.astype(column),
            "counts": np.bincount(row, minlength=rows).astype(column),
            "dim": np.array(dim),
        }

    def reader(self, arrays: Arrays) -> Decode:
        counts = arrays["counts"].astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)])
        parts = (arrays["values"], arrays["columns"].astype(np.int64), starts)
        matrix = csr_array(parts, shape=(len(counts), int(arrays["dim"])))
        return lambda ids: matrix[ids].toarray()
