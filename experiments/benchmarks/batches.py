"""Batches for benchmarks: ids drawn as logs draw them, scattered over a table as hashing does."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

Ids = Int64[np.ndarray, "batch features"]
Labels = Float32[np.ndarray, " batch"]
Batch = tuple[Ids, Labels]
Draw = Literal["zipf", "uniform"]

SCRAMBLE = 2_654_435_761  # a prime beyond 2**31, so rank * SCRAMBLE % rows meets every row once


def draw(
    kind: Draw,
    *,
    rows: int,
    batch: int,
    features: int,
    count: int,
    exponent: float = 1.2,
    seed: int = 0,
) -> list[Batch]:
    """`count` distinct batches of ids below `rows` with coin-toss labels.

    Zipf draws ranks with P(rank) ~ rank^-exponent, cut off at `rows`, then scatters ranks over the
    table by a fixed bijection: popular rows do not lie next to each other.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(count):
        if kind == "zipf":
            ids = _zipf(rng, size=batch * features, rows=rows, exponent=exponent)
        else:
            ids = rng.integers(0, rows, batch * features)
        labels = rng.integers(0, 2, batch).astype(np.float32)
        drawn.append((ids.reshape(batch, features), labels))
    return drawn


def _zipf(
    rng: np.random.Generator, *, size: int, rows: int, exponent: float
) -> Int64[np.ndarray, " size"]:
    ranks = np.empty(0, np.int64)
    while len(ranks) < size:
        more = rng.zipf(exponent, size)
        ranks = np.concatenate([ranks, more[more <= rows]])
    scattered = (ranks[:size] - 1).astype(np.uint64) * np.uint64(SCRAMBLE) % np.uint64(rows)
    return scattered.astype(np.int64)
