"""Measures of ranked lists: one value a user, so that means have intervals and users can be cut.

All follow the convention of NGCF and LightGCN (He et al., SIGIR 2020): recall divides by the number
of a user's relevant items, even if it is above k, and the ideal DCG stops at k. Users without a
relevant item have no measure: leave them out.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class Recall:
    """The share of a user's relevant items among the first k."""

    k: int

    def __call__(
        self, hits: Bool[np.ndarray, "users best"], relevant: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, " users"]:
        return np.asarray(hits[:, : self.k].sum(axis=1) / relevant)


@dataclasses.dataclass(frozen=True)
class HitRate:
    """Whether any relevant item is among the first k."""

    k: int

    def __call__(
        self, hits: Bool[np.ndarray, "users best"], relevant: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, " users"]:
        return np.asarray(hits[:, : self.k].any(axis=1), np.float64)


@dataclasses.dataclass(frozen=True)
class NDCG:
    """Gains discounted by the logarithm of the rank, over the best that was possible (Järvelin and
    Kekäläinen, TOIS 2002).
    """

    k: int

    def __call__(
        self, hits: Bool[np.ndarray, "users best"], relevant: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, " users"]:
        discount = 1 / np.log2(np.arange(self.k) + 2)
        ideal = np.cumsum(discount)[np.minimum(relevant, self.k) - 1]
        here = hits[:, : self.k]
        return (here * discount[: here.shape[1]]).sum(axis=1) / ideal


@dataclasses.dataclass(frozen=True)
class MRR:
    """One over the rank of the first relevant item, 0 if it is not among the first k."""

    k: int

    def __call__(
        self, hits: Bool[np.ndarray, "users best"], relevant: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, " users"]:
        here = hits[:, : self.k]
        return np.where(here.any(axis=1), 1 / (here.argmax(axis=1) + 1), 0.0)


@dataclasses.dataclass(frozen=True)
class MAP:
    """Precision at the rank of each relevant item, over the most that k places can hold."""

    k: int

    def __call__(
        self, hits: Bool[np.ndarray, "users best"], relevant: Int[np.ndarray, " users"]
    ) -> Float[np.ndarray, " users"]:
        here = hits[:, : self.k]
        precision = here.cumsum(axis=1) / (np.arange(here.shape[1]) + 1)
        return (precision * here).sum(axis=1) / np.minimum(relevant, self.k)


RankingMetric = Recall | HitRate | NDCG | MRR | MAP
RANKING_METRICS = {"recall": Recall, "hit_rate": HitRate, "ndcg": NDCG, "mrr": MRR, "map": MAP}


def ranking_metric(name: str) -> RankingMetric:
    """The metric that a name such as `recall@20` stands for.

    Raises:
        ValueError: there is no such metric.
    """
    kind, _, k = name.partition("@")
    if kind not in RANKING_METRICS or not k.isdigit() or int(k) < 1:
        known = ", ".join(f"{known}@20" for known in RANKING_METRICS)
        raise ValueError(f"Unknown ranking metric {name!r}: use one such as {known}.")
    return RANKING_METRICS[kind](int(k))
