"""Items and users for tests of indexes: clustered, as learned vectors are, and users apart."""

import numpy as np
from jaxtyping import Float32, Int64

DIM = 16


def items(count: int, *, dim: int = DIM, seed: int = 0) -> Float32[np.ndarray, "count dim"]:
    """Vectors of length 1 around some centres, none below zero so that every index holds them."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).random((20, dim)) ** 4
    drawn = centres[rng.integers(0, 20, count)] + 0.1 * rng.random((count, dim))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def users(count: int, *, dim: int = DIM, seed: int = 1) -> Float32[np.ndarray, "count dim"]:
    """Vectors that lie between several items, and not where items are."""
    rng = np.random.default_rng(seed)
    several = items(3 * count, dim=dim, seed=seed).reshape(count, 3, dim)
    return np.einsum("ijd,ij->id", several, rng.random((count, 3))).astype(np.float32)


def best(
    queries: Float32[np.ndarray, "queries dim"], vectors: Float32[np.ndarray, "items dim"], k: int
) -> Int64[np.ndarray, "queries k"]:
    """The slow reference: everything sorted."""
    return np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :k]
