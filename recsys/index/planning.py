"""How a base is searched when not every item may be found.

Few allowed items are scanned one by one: a graph or a list with a filter on it would look at many
that it may not return, and miss some that it may. Otherwise the base is asked for as many more as
a query excludes, and whoever then has fewer than k, though there are more, is served by a scan.
"""

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index.base import Base
from recsys.index.found import NOTHING, Rows, best_left, nothing, padded

FEW_ROWS = 2_048  # so many are scanned without asking the base
FEW_SHARE = 0.05  # of the rows; below, a filtered index looks at more than a scan


def search(
    base: Base,
    queries: Float32[np.ndarray, "queries dim"],
    k: int,
    *,
    mask: Bool[np.ndarray, "rows"] | None,
    excluded: Int64[np.ndarray, "queries excluded"],
) -> Rows:
    """The best k rows of each query that the mask allows and the query does not exclude.

    Args:
        base: What is searched.
        queries: Vectors.
        k: Rows wanted.
        mask: Rows that may be found; None is all.
        excluded: Rows that a query leaves out, each once, padded with NOTHING.
    """
    count = base.shape[0]
    allowed = count if mask is None else int(np.count_nonzero(mask))
    if mask is not None:  # what may not be found anyway is not left out once more
        excluded = np.where((excluded != NOTHING) & mask[excluded], excluded, NOTHING)
    more = _most(excluded)
    if not allowed or not len(queries):
        return nothing(len(queries), k)
    wanted = min(k + more, allowed)
    if base.is_exact or _is_scanned(wanted, allowed, count):
        return _scanned(base, queries, k, mask, excluded)
    found = base.search(queries, wanted, mask)
    found = best_left(found, _drops(found, excluded, count), k) if more else padded(found, k)
    return _completed(base, found, queries, k, mask, excluded, allowed)


def _is_scanned(wanted: int, allowed: int, count: int) -> bool:
    """Whether looking at every allowed row is the better way."""
    few = max(FEW_ROWS, FEW_SHARE * count)
    return allowed <= few or wanted > FEW_SHARE * count


def _scanned(
    base: Base,
    queries: Float32[np.ndarray, "queries dim"],
    k: int,
    mask: Bool[np.ndarray, "rows"] | None,
    excluded: Int64[np.ndarray, "queries excluded"],
) -> Rows:
    rows = None if mask is None else np.flatnonzero(mask)
    return base.scan(queries, k, rows, excluded)


def _completed(
    base: Base,
    found: Rows,
    queries: Float32[np.ndarray, "queries dim"],
    k: int,
    mask: Bool[np.ndarray, "rows"] | None,
    excluded: Int64[np.ndarray, "queries excluded"],
    allowed: int,
) -> Rows:
    """Scans for the queries that found fewer than there surely are."""
    own = np.sum(excluded != NOTHING, axis=1)
    short = np.flatnonzero(found.counts() < np.minimum(k, np.maximum(allowed - own, 0)))
    if len(short):
        scanned = _scanned(base, queries[short], k, mask, excluded[short])
        found.rows[short], found.scores[short] = scanned.rows, scanned.scores
    return found


def _most(excluded: Int64[np.ndarray, "queries excluded"]) -> int:
    """How many rows the query with most of them leaves out."""
    return int(np.max(np.sum(excluded != NOTHING, axis=1), initial=0))


def _drops(
    found: Rows, excluded: Int64[np.ndarray, "queries excluded"], count: int
) -> Bool[np.ndarray, "queries found"]:
    """Which rows found are excluded by their query."""
    drops = np.zeros(found.rows.shape, bool)
    is_out = np.zeros(count + 1, bool)  # the last is NOTHING, as -1 is the last place
    for query, rows in enumerate(excluded):
        is_out[rows] = True
        drops[query] = is_out[found.rows[query]]
        is_out[rows] = False
    return drops
