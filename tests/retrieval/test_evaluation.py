"""The whole catalogue ranked and measured, against a loop over users in plain Python."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.data.interactions import Interactions, sparse
from recsys.retrieval.evaluation import METRICS, evaluate, measure
from recsys.retrieval.ranking import NOTHING
from tests.retrieval.drawn import ITEMS, USERS, interactions

DATA = interactions()
SCORES = np.random.default_rng(3).permutation(USERS * ITEMS).reshape(USERS, ITEMS).astype("float32")


@dataclasses.dataclass(frozen=True)
class Table:
    """Scores that were worked out before."""

    values: np.ndarray = dataclasses.field(default_factory=lambda: SCORES)

    def scores(self, users):
        return jnp.asarray(self.values[users])


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(Table(), DATA, block=16, progress=False)


def _lists() -> dict[int, list[int]]:
    """Every user's unseen items, best first, by sorting."""
    train = DATA.train.toarray()
    order = {user: np.argsort(-SCORES[user]).tolist() for user in range(USERS)}
    return {user: [item for item in own if not train[user, item]] for user, own in order.items()}


def test_recall_and_ndcg_agree_with_a_loop_over_users(evaluation):
    recall, ndcg = [], []
    for user, items in _lists().items():
        wanted = set(DATA.test.indices[slice(*DATA.test.indptr[user : user + 2])].tolist())
        if wanted:
            hits = [item in wanted for item in items[:10]]
            recall.append(sum(hits) / len(wanted))
            gain = sum(hit / np.log2(place + 2) for place, hit in enumerate(hits))
            ndcg.append(gain / sum(1 / np.log2(p + 2) for p in range(min(10, len(wanted)))))
    assert evaluation.metrics["recall@10"] == pytest.approx(np.mean(recall), abs=1e-12)
    assert evaluation.metrics["ndcg@10"] == pytest.approx(np.mean(ndcg), abs=1e-12)


def test_the_block_changes_nothing(evaluation):
    other = evaluate(Table(), DATA, block=1000, progress=False)
    assert other.metrics == evaluation.metrics


def test_users_without_a_test_item_are_not_ranked(evaluation):
    np.testing.assert_array_equal(evaluation.ranking.users, np.flatnonzero(DATA.test.sum(axis=1)))


def test_coverage_is_the_share_of_items_in_any_list(evaluation):
    users = evaluation.ranking.users
    shown = {item for user in users for item in _lists()[user][:20]}
    assert evaluation.coverage(20) == len(shown) / ITEMS
    assert evaluation.coverage(1) < evaluation.coverage(20)


def test_popularity_bias_is_the_mean_percentile_of_what_is_shown():
    train = sparse(np.array([0, 1, 2, 0, 1, 0]), np.array([0, 0, 0, 1, 1, 2]), (4, 4))
    test = sparse(np.array([3]), np.array([0]), (4, 4))
    data = Interactions(train, test)

    def bias(*items: int) -> float:
        scores = np.zeros((4, 4), np.float32)
        scores[3, list(items)] = 1
        found = evaluate(Table(scores), data, metrics=("recall@1",), best=len(items))
        return found.bias(len(items))

    assert bias(0) == 7 / 8  # the most popular of four items
    assert bias(3) == 1 / 8
    assert bias(0, 1, 2, 3) == 1 / 2


def test_items_that_came_equally_often_have_one_percentile():
    train = sparse(np.array([0, 0]), np.array([0, 1]), (2, 3))
    data = Interactions(train, sparse(np.array([1]), np.array([0]), (2, 3)))
    for item in (0, 1):
        scores = np.eye(3, dtype=np.float32)[[item, item]]
        assert evaluate(Table(scores), data, metrics=("recall@1",), best=1).bias(1) == 2 / 3


def test_a_model_whose_lists_are_empty_scores_nothing():
    users, items = np.divmod(np.arange(USERS * ITEMS), ITEMS)
    train = sparse(users[1:], items[1:], (USERS, ITEMS))
    left = Interactions(train, sparse(users[:1], items[:1], (USERS, ITEMS)))
    nothing = Table(np.full((USERS, ITEMS), -np.inf, np.float32))
    found = evaluate(nothing, left, progress=False)
    assert (found.ranking.items == NOTHING).all()
    assert set(found.metrics.values()) == {0.0}


def test_cold_users_are_told_apart(evaluation):
    assert evaluation.ranking.users[evaluation.is_cold].tolist() == [0]
    cold, warm = evaluation.of(evaluation.is_cold), evaluation.of(~evaluation.is_cold)
    count = len(evaluation.is_cold)
    for name in METRICS:
        together = (cold[name] + (count - 1) * warm[name]) / count
        assert together == pytest.approx(evaluation.metrics[name])


def test_cold_items_are_measured_by_themselves(evaluation):
    is_cold = evaluation.popularity == 0
    assert is_cold.nonzero()[0].tolist() == [ITEMS - 1]
    cold = measure(evaluation.ranking, DATA.about(is_cold))
    asked = np.flatnonzero(DATA.test.toarray()[:, ITEMS - 1]).tolist()
    np.testing.assert_array_equal(cold.ranking.users, asked)
    found = [ITEMS - 1 in _lists()[user][:10] for user in asked]
    assert cold.metrics["recall@10"] == np.mean(found)


def test_an_interval_holds_the_mean_and_is_as_wide_as_the_central_limit_says(evaluation):
    values = evaluation.by_user["recall@20"]
    low, high = evaluation.interval("recall@20")
    assert low < values.mean() < high
    wide = 2 * 1.96 * values.std() / len(values) ** 0.5
    assert high - low == pytest.approx(wide, rel=0.1)
    assert (low, high) == evaluation.interval("recall@20")


def test_a_mean_over_nobody_is_refused(evaluation):
    with pytest.raises(ValueError, match="wants at least one user, got none"):
        evaluation.of(np.zeros(len(evaluation.is_cold), bool))


def test_a_metric_beyond_the_lists_is_refused():
    with pytest.raises(ValueError, match=r"\['recall@50'\] read beyond the lists of 20 items"):
        evaluate(Table(), DATA, metrics=("recall@20", "recall@50"), best=20)


def test_an_empty_test_is_refused():
    empty = DATA.about(np.zeros(ITEMS, bool))
    with pytest.raises(ValueError, match="wants users with test items, got none"):
        evaluate(Table(), empty, progress=False)
