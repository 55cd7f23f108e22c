"""What a search answers with, and how answers are put together."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from recsys.index.top import top

NOTHING = -1  # the id behind the last one found


@dataclasses.dataclass(frozen=True, eq=False)
class Reasons:
    """What the entries of the vectors add to each score, the largest first."""

    entries: Int32[np.ndarray, "queries k reasons"]  # NOTHING where fewer entries add anything
    shares: Float32[np.ndarray, "queries k reasons"]


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The best items of each query, best first."""

    ids: Int64[np.ndarray, "queries k"]  # NOTHING where fewer than k items are allowed
    scores: Float32[np.ndarray, "queries k"]  # inner products; -inf where there is no item
    reasons: Reasons | None = None  # of explicit spaces


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """The best rows of one segment, best first."""

    rows: Int64[np.ndarray, "queries k"]  # NOTHING where there are fewer
    scores: Float32[np.ndarray, "queries k"]

    def counts(self) -> Int64[np.ndarray, "queries"]:
        """How many were found for each query."""
        return np.sum(self.rows != NOTHING, axis=1)


def nothing(queries: int, k: int) -> Rows:
    """No row for any query."""
    return Rows(
        np.full((queries, k), NOTHING, np.int64), np.full((queries, k), -np.inf, np.float32)
    )


def best_of(
    scores: Float32[np.ndarray, "queries items"], k: int, rows: Int64[np.ndarray, "items"] | None
) -> Rows:
    """The best k of scored rows; `rows` says which these are, None that all are there."""
    found = nothing(len(scores), k)
    for query, row in enumerate(scores):
        places = top(row, k)
        found.rows[query, : len(places)] = places if rows is None else rows[places]
        found.scores[query, : len(places)] = row[places]
    return found


def best_left(found: Rows, dropped: Bool[np.ndarray, "queries found"], k: int) -> Rows:
    """The best k rows of those that are not dropped, in their order."""
    gone = dropped | (found.rows == NOTHING)
    order = np.argsort(gone, axis=1, kind="stable")[:, :k]
    rows = np.take_along_axis(np.where(gone, NOTHING, found.rows), order, axis=1)
    scores = np.take_along_axis(np.where(gone, -np.inf, found.scores), order, axis=1)
    return padded(Rows(rows, scores.astype(np.float32)), k)


def stacked(parts: list[Rows]) -> Rows:
    """Answers to several blocks of queries as one."""
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def padded(found: Rows, k: int) -> Rows:
    """The same with k columns."""
    missing = k - found.rows.shape[1]
    if missing <= 0:
        return found
    return Rows(
        np.pad(found.rows, ((0, 0), (0, missing)), constant_values=NOTHING),
        np.pad(found.scores, ((0, 0), (0, missing)), constant_values=-np.inf),
    )


def merged(first: Rows, second: Rows, k: int) -> Rows:
    """The best k of two answers, whose rows must be ids by now."""
    rows = np.concatenate([first.rows, second.rows], axis=1)
    scores = np.concatenate([first.scores, second.scores], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return Rows(np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1))
