"""Exact search: every vector is looked at. The default for small catalogues, and the reference.

Plain NumPy, so that it needs no other library; `experiments/benchmarks/index.py` times it beside
faiss's flat index.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index.found import NOTHING, Rows, best_of, nothing, stacked
from recsys.spec import spec

VECTORS = "vectors.npy"
SCORES = 1 << 24  # most scores held at a time


@spec
@dataclasses.dataclass(frozen=True)
class Exact:
    """Looks at every vector: finds the very best, in time that grows with the catalogue."""

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Any vectors will do."""

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> "ExactBase":
        return ExactBase(vectors)

    def open(self, directory: Path) -> "ExactBase":
        return ExactBase(mapped(directory))


class Stored:
    """Vectors in one array: what bases that keep them whole have in common."""

    def __init__(self, vectors: Float32[np.ndarray, "rows dim"]):
        self.all = vectors

    @property
    def shape(self) -> tuple[int, int]:
        return self.all.shape[0], self.all.shape[1]

    def scan(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        rows: Int64[np.ndarray, "chosen"] | None,
        excluded: Int64[np.ndarray, "queries excluded"] | None = None,
    ) -> Rows:
        return scan(self.all, queries, k, rows=rows, excluded=excluded)

    def vectors(self, rows: Int64[np.ndarray, "chosen"]) -> Float32[np.ndarray, "chosen dim"]:
        return np.asarray(self.all[rows])

    def save(self, directory: Path) -> None:
        np.save(directory / VECTORS, self.all)


class ExactBase(Stored):
    """Every vector is looked at."""

    is_exact = True
    effort = 0
    most_effort = 0
    reasons = 0

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        mask: Bool[np.ndarray, "rows"] | None,
    ) -> Rows:
        return scan(self.all, queries, k, mask=mask)


def mapped(directory: Path) -> Float32[np.ndarray, "rows dim"]:
    """Saved vectors, read where they are looked at."""
    found = np.load(directory / VECTORS, mmap_mode="r", allow_pickle=False)
    if found.ndim != 2 or found.dtype != np.float32:
        raise ValueError(
            f"{directory / VECTORS} wants float32 vectors in two axes, got {found.dtype} "
            f"{found.shape}: build the index again."
        )
    return np.asarray(found)  # a view of the same memory, of a type that pickles and checks


def scan(
    vectors: Float32[np.ndarray, "rows dim"],
    queries: Float32[np.ndarray, "queries dim"],
    k: int,
    *,
    rows: Int64[np.ndarray, "chosen"] | None = None,
    mask: Bool[np.ndarray, "rows"] | None = None,
    excluded: Int64[np.ndarray, "queries excluded"] | None = None,
) -> Rows:
    """The very best of the rows that are chosen, or that the mask allows, less a query's own."""
    chosen = vectors if rows is None else vectors[rows]
    return in_blocks(
        lambda few: few @ chosen.T, len(chosen), queries, k, rows=rows, mask=mask, excluded=excluded
    )


def in_blocks(
    score: Callable[[Float32[np.ndarray, "few dim"]], Float32[np.ndarray, "few chosen"]],
    count: int,
    queries: Float32[np.ndarray, "queries dim"],
    k: int,
    *,
    rows: Int64[np.ndarray, "chosen"] | None = None,
    mask: Bool[np.ndarray, "rows"] | None = None,
    excluded: Int64[np.ndarray, "queries excluded"] | None = None,
) -> Rows:
    """The best of `count` scored rows, for so many queries at a time that the scores fit."""
    if not count:
        return nothing(len(queries), k)
    step = max(1, SCORES // count)
    parts = []
    for start in range(0, len(queries), step):
        scores = score(queries[start : start + step])
        if mask is not None:
            scores[:, ~mask] = -np.inf
        if excluded is not None:
            leave_out(scores, excluded[start : start + step], rows)
        parts.append(best_of(scores, k, rows))
    return stacked(parts)


def leave_out(
    scores: Float32[np.ndarray, "queries chosen"],
    excluded: Int64[np.ndarray, "queries excluded"],
    rows: Int64[np.ndarray, "chosen"] | None,
) -> None:
    """Takes each query's own rows out of its scores; `rows` says which stand there, ascending."""
    queries, columns = np.nonzero(excluded != NOTHING)
    wanted = excluded[queries, columns]
    if rows is not None:
        places = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
        there = rows[places] == wanted
        queries, wanted = queries[there], places[there]
    scores[queries, wanted] = -np.inf
