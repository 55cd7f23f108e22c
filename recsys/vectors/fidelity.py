"""How near compressed vectors are to the original: the neighbours they find, and the error."""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int

from recsys.vectors.file import Compressed
from recsys.vectors.method import Vectors

BLOCK = 2**16  # rows decoded at a time
QUERIES = 64  # scored at a time
Score = Literal["dot", "cosine"]


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """What compressing cost."""

    bytes: int  # of the arrays
    share: float  # of the original's bytes
    relative_error: float  # norm of the difference over the norm of the original
    recall: dict[int, float]  # k -> share of the exact k nearest among the k nearest found


def fidelity(
    vectors: Vectors,
    compressed: Compressed,
    *,
    ks: tuple[int, ...] = (10, 100),
    queries: int = 1000,
    score: Score = "dot",
    seed: int = 0,
) -> Fidelity:
    """Measures on queries drawn from the vectors themselves, each of which is left out of its own
    answer; queries are exact, what they look for is compressed.

    Args:
        ks: lengths of lists; longer ones than there are others are cut.
        queries: at most so many.
        score: what the nearest have the most of.
        seed: of the draw.
    """
    decoded = np.concatenate(list(_decoded(compressed)))
    error = np.linalg.norm(decoded - vectors) / max(float(np.linalg.norm(vectors)), 1e-30)
    rng = np.random.default_rng(seed)
    asked = rng.choice(len(vectors), min(queries, len(vectors)), replace=False)
    ks = tuple(min(k, max(len(vectors) - 1, 1)) for k in ks)
    recall = _recall(vectors, decoded, asked, ks=ks, score=score)
    size = compressed.arrays_bytes
    return Fidelity(size, size / vectors.nbytes, float(error), recall)


def _decoded(compressed: Compressed) -> Iterator[Float32[np.ndarray, "block dim"]]:
    for start in range(0, compressed.rows, BLOCK):
        yield compressed.decode(np.arange(start, min(start + BLOCK, compressed.rows)))


def _recall(
    exact: Vectors,
    decoded: Vectors,
    asked: Int[np.ndarray, " queries"],
    *,
    ks: tuple[int, ...],
    score: Score,
) -> dict[int, float]:
    if score == "cosine":
        exact, decoded = _unit(exact), _unit(decoded)
    hits = dict.fromkeys(ks, 0)
    for start in range(0, len(asked), QUERIES):
        some = asked[start : start + QUERIES]
        wanted, found = (_nearest(exact[some], side, some, max(ks)) for side in (exact, decoded))
        for k in ks:
            same = found[:, :k, None] == wanted[:, None, :k]
            hits[k] += int(same.any(axis=2).sum())
    return {k: count / (k * len(asked)) for k, count in hits.items()}


def _nearest(
    queries: Float32[np.ndarray, "queries dim"],
    vectors: Vectors,
    own: Int[np.ndarray, " queries"],
    k: int,
) -> Int[np.ndarray, "queries k"]:
    """The rows of the highest products, best first, without the query's own."""
    scores = queries @ vectors.T
    scores[np.arange(len(own)), own] = -np.inf
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def _unit(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
