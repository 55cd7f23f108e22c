"""Measures of ranked lists, worked out by hand."""

import numpy as np
import pytest

from recsys.metrics.ranking import MAP, MRR, NDCG, RANKING_METRICS, HitRate, Recall, ranking_metric

# Ann finds 3 of her 4 items at ranks 1, 3 and 5; Bob finds his only one at rank 2; Eve finds none.
HITS = np.array([[1, 0, 1, 0, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
RELEVANT = np.array([4, 1, 2])
LOG = 1 / np.log2(np.arange(2, 7))  # discounts of ranks 1 to 5

EXPECTED = {
    "recall": (Recall, 3, [2 / 4, 1, 0]),
    "recall, a longer list": (Recall, 5, [3 / 4, 1, 0]),
    "hit_rate": (HitRate, 1, [1, 0, 0]),
    "hit_rate, a longer list": (HitRate, 2, [1, 1, 0]),
    "ndcg": (NDCG, 3, [(LOG[0] + LOG[2]) / LOG[:3].sum(), LOG[1] / LOG[0], 0]),
    "ndcg, fewer relevant than k": (NDCG, 5, [LOG[[0, 2, 4]].sum() / LOG[:4].sum(), LOG[1], 0]),
    "mrr": (MRR, 5, [1, 1 / 2, 0]),
    "mrr, cut before": (MRR, 1, [1, 0, 0]),
    "map": (MAP, 3, [(1 + 2 / 3) / 3, 1 / 2, 0]),
    "map, fewer relevant than k": (MAP, 5, [(1 + 2 / 3 + 3 / 5) / 4, 1 / 2, 0]),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_measure_agrees_with_a_hand_computed_example(name):
    kind, k, values = EXPECTED[name]
    np.testing.assert_allclose(kind(k)(HITS, RELEVANT), values, rtol=1e-12)


def test_every_measure_has_an_example():
    assert {kind for kind, _, _ in EXPECTED.values()} == set(RANKING_METRICS.values())


@pytest.mark.parametrize("name", RANKING_METRICS)
def test_a_perfect_list_is_worth_one(name):
    perfect = np.array([[True, True, False, False]])
    assert ranking_metric(f"{name}@4")(perfect, np.array([2]))[0] == 1


@pytest.mark.parametrize("name", RANKING_METRICS)
def test_k_beyond_the_list_reads_the_whole_list(name):
    long, short = (ranking_metric(f"{name}@{k}")(HITS[1:], RELEVANT[1:]) for k in (50, 5))
    np.testing.assert_array_equal(long, short)


def test_a_name_stands_for_its_measure():
    assert ranking_metric("recall@20") == Recall(20)


@pytest.mark.parametrize("name", ["recal@20", "recall", "recall@", "recall@0", "recall@-1", ""])
def test_an_unknown_measure_is_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match="use one such as recall@20, hit_rate@20, ndcg@20"):
        ranking_metric(name)
