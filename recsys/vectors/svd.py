"""The few directions in which vectors differ most, and each vector's coordinates there."""

import dataclasses

import numpy as np

from recsys.vectors.method import Arrays, Decode, Vectors, require


@dataclasses.dataclass(frozen=True)
class SVD:
    """The best approximation of the matrix of its rank (Eckart and Young, 1936)."""

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        require(self, 4 * (rows + dim), budget_bytes=budget_bytes, vectors=vectors)
        return cut_to_rank(vectors, min(dim, budget_bytes // (4 * (rows + dim))))

    def reader(self, arrays: Arrays) -> Decode:
        coordinates, directions = arrays["coordinates"], arrays["directions"]
        return lambda ids: coordinates[ids] @ directions


def cut_to_rank(vectors: Vectors, rank: int) -> dict[str, np.ndarray]:
    """Coordinates and directions of that rank."""
    wide = vectors.astype(np.float64)
    _, directions = np.linalg.eigh(wide.T @ wide)  # as small as a vector is wide
    kept = directions[:, ::-1][:, :rank].astype(np.float32)
    return {"coordinates": vectors @ kept, "directions": np.ascontiguousarray(kept.T)}
