"""Measures of graded rankings, one value a query, and intervals that hold for other occupations.

nDCG@10 takes grades as gains (Järvelin and Kekäläinen, TOIS 2002) and average precision any grade
above 0 as relevant, over the whole ranking, as trec_eval does. Queries of one occupation share its
fate, so the bootstrap draws occupations, the same ones for both sides of a comparison.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

DRAWS = 2_000


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean, and where 95 of 100 bootstrapped means lie."""

    mean: float
    low: float
    high: float


def ndcg(
    scores: Float[np.ndarray, "queries items"],
    grades: Float[np.ndarray, "queries items"],
    *,
    k: int = 10,
) -> Float[np.ndarray, " queries"]:
    """Discounted gains of the first k over the best that was possible; nan where none is."""
    discount = 1 / np.log2(np.arange(min(k, scores.shape[1])) + 2)
    best = np.take_along_axis(grades, order(scores)[:, :k], axis=1)
    ideal = -np.sort(-grades, axis=1)[:, :k]
    with np.errstate(invalid="ignore"):
        return (best * discount).sum(axis=1) / (ideal * discount).sum(axis=1)


def average_precision(
    scores: Float[np.ndarray, "queries items"], relevant: Bool[np.ndarray, "queries items"]
) -> Float[np.ndarray, " queries"]:
    """Mean precision at the rank of each relevant item; nan where there is none."""
    hits = np.take_along_axis(relevant, order(scores), axis=1)
    precision = hits.cumsum(axis=1) / (np.arange(hits.shape[1]) + 1)
    with np.errstate(invalid="ignore"):
        return (precision * hits).sum(axis=1) / hits.sum(axis=1)


def r_precision(
    scores: Float[np.ndarray, "queries items"],
    relevant: Bool[np.ndarray, "queries items"],
    *,
    k: int = 5,
) -> Float[np.ndarray, " queries"]:
    """Relevant ones among the first k, over the most that there could be: min(k, relevant).

    Decorte et al., "Design of Negative Sampling Strategies for Distantly Supervised Skill
    Extraction", RecSys in HR 2022.
    """
    hits = np.take_along_axis(relevant, order(scores)[:, :k], axis=1)
    with np.errstate(invalid="ignore"):
        return hits.sum(axis=1) / np.minimum(relevant.sum(axis=1), k)


def order(scores: Float[np.ndarray, "queries items"]) -> Int[np.ndarray, "queries items"]:
    """Items from best to worst; of equal ones, the first comes first."""
    return np.argsort(-scores, axis=1, kind="stable")


def ranking(
    scores: Float[np.ndarray, "queries items"], grades: csr_array, *, prefix: str = ""
) -> dict[str, Float[np.ndarray, " queries"]]:
    """All measures of job-profile relevance."""
    dense = grades.toarray().astype(np.float64)
    return {
        f"{prefix}ndcg@10": ndcg(scores, dense),
        f"{prefix}map": average_precision(scores, dense > 0),
    }


def interval(
    values: Float[np.ndarray, " queries"],
    group: Int[np.ndarray, " queries"],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The mean over queries that have a value, and its bootstrap interval over groups."""
    there = np.isfinite(values)
    _, place = np.unique(group[there], return_inverse=True)
    sums, counts = np.bincount(place, values[there]), np.bincount(place)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(counts), size=(draws, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(values[there].mean()), float(low), float(high))


def paired(
    ours: Sequence[Float[np.ndarray, " queries"]],
    theirs: Float[np.ndarray, " queries"],
    group: Int[np.ndarray, " queries"],
) -> Interval:
    """How much more a mean over seeds is than another system's, on the same queries."""
    return interval(np.mean(ours, axis=0) - theirs, group)
