"""Evaluation of retrieval: the whole catalogue is ranked for every user with something to find."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import scipy.stats
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from recsys.data.interactions import Interactions, size
from recsys.metrics.ranking import RankingMetric, ranking_metric
from recsys.retrieval.ranking import NOTHING, Ranking, Scorer, rank

METRICS = ("recall@10", "recall@20", "recall@50", "ndcg@10", "ndcg@20", "mrr@20", "hit_rate@20")


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model retrieved, measured user by user."""

    ranking: Ranking
    by_user: Mapping[str, Float[np.ndarray, " users"]]  # metric -> value of each ranked user
    popularity: Int[np.ndarray, " items"]  # how many users met each item in train
    is_cold: Bool[np.ndarray, " users"]  # ranked users without anything in train

    @property
    def metrics(self) -> dict[str, float]:
        """Means over users, then what the lists as a whole are like."""
        means = {name: float(values.mean()) for name, values in self.by_user.items()}
        return means | {"coverage@20": self.coverage(20), "popularity@20": self.bias(20)}

    def coverage(self, k: int) -> float:
        """The share of the catalogue that is in anybody's first k."""
        items = self.ranking.items[:, :k]
        return len(np.unique(items[items != NOTHING])) / len(self.popularity)

    def bias(self, k: int) -> float:
        """How popular the first k are: their mean percentile, .5 if all came equally often.

        0 where nothing was retrieved.
        """
        percentile = (scipy.stats.rankdata(self.popularity) - 0.5) / len(self.popularity)
        items = self.ranking.items[:, :k]
        found = items[items != NOTHING]
        return float(percentile[found].mean()) if len(found) else 0.0

    def interval(
        self, name: str, *, level: float = 0.95, draws: int = 1000, seed: int = 0
    ) -> tuple[float, float]:
        """The mean's bootstrap interval over users (Efron, 1979)."""
        values = self.by_user[name]
        rng = np.random.default_rng(seed)
        means = [rng.choice(values, len(values)).mean() for _ in range(draws)]
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def of(self, users: Bool[np.ndarray, " users"]) -> dict[str, float]:
        """The means over some of the ranked users, as the cold ones."""
        if not users.any():
            raise ValueError("A mean wants at least one user, got none: choose others.")
        return {name: float(values[users].mean()) for name, values in self.by_user.items()}


def evaluate(
    scorer: Scorer,
    data: Interactions,
    *,
    metrics: tuple[str, ...] = METRICS,
    best: int = 100,
    block: int = 1024,
    progress: bool = True,
) -> Evaluation:
    """Ranks all items that a user has not met in train, for every user with a test item.

    Args:
        metrics: names of `recsys.metrics.ranking`, each with its k up to `best`.
        best: length of the lists.
        block: users at a time.

    Raises:
        ValueError: a metric is unknown or reads beyond `best`, or test is empty.
    """
    _check(metrics, best)
    users = np.flatnonzero(np.diff(data.test.indptr))
    ranking = rank(scorer, users, seen=data.train, best=best, block=block, progress=progress)
    return measure(ranking, data, metrics=metrics)


def measure(
    ranking: Ranking, data: Interactions, *, metrics: tuple[str, ...] = METRICS
) -> Evaluation:
    """How good lists are that were made already; users without a test item are left out.

    `measure(evaluation.ranking, data.about(items))` measures what was found of some items alone.

    Raises:
        ValueError: a metric is unknown or reads beyond the lists, or test is empty.
    """
    chosen = _check(metrics, ranking.items.shape[1])
    relevant = np.diff(data.test.indptr)[ranking.users]
    asked = relevant > 0
    if not asked.any():
        raise ValueError("Evaluation wants users with test items, got none: split otherwise.")
    kept = Ranking(ranking.users[asked], ranking.items[asked])
    hits = is_relevant(kept, data.test)
    return Evaluation(
        kept,
        {name: metric(hits, relevant[asked]) for name, metric in chosen.items()},
        np.bincount(data.train.indices, minlength=data.items),
        np.diff(data.train.indptr)[kept.users] == 0,
    )


def is_relevant(ranking: Ranking, test: csr_array) -> Bool[np.ndarray, "users best"]:
    """Which of the ranked items are in their user's row of `test`."""
    users, items = size(test)
    wanted = np.repeat(np.arange(users), np.diff(test.indptr)) * items + test.indices
    asked = ranking.users[:, None].astype(np.int64) * items + ranking.items
    return np.isin(asked, wanted) & (ranking.items != NOTHING)


def _check(metrics: tuple[str, ...], best: int) -> dict[str, RankingMetric]:
    """The metrics by name, each of which the lists are long enough for."""
    chosen = {name: ranking_metric(name) for name in metrics}
    beyond = [name for name, metric in chosen.items() if metric.k > best]
    if beyond:
        raise ValueError(f"{beyond} read beyond the lists of {best} items: raise best.")
    return chosen
