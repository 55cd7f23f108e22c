"""Measures of graded rankings: values worked by hand, and intervals that hold what they say."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from experiments.explicit import measures


def test_ndcg_is_that_of_the_worked_example():
    # Ranked 3, 0, 2: (3 + 2 / 2) over (3 + 2 / log2(3)).
    found = measures.ndcg(np.array([[0.9, 0.8, 0.7]]), np.array([[3.0, 0.0, 2.0]]))
    assert found == pytest.approx([4 / (3 + 2 / np.log2(3))])


def test_ndcg_stops_at_k_on_both_sides():
    found = measures.ndcg(np.array([[0.9, 0.8, 0.7]]), np.array([[0.0, 1.0, 5.0]]), k=2)
    assert found == pytest.approx([(1 / np.log2(3)) / (5 + 1 / np.log2(3))])


def test_average_precision_is_that_of_the_worked_example():
    scores = np.array([[4.0, 3.0, 2.0, 1.0]])
    relevant = np.array([[True, False, False, True]])
    assert measures.average_precision(scores, relevant) == pytest.approx([(1 + 2 / 4) / 2])


def test_r_precision_divides_by_what_can_be_found():
    scores = np.array([[5.0, 4, 3, 2, 1, 0], [5.0, 4, 3, 2, 1, 0]])
    relevant = np.array([[False, True, False, False, False, True], [True] * 6])
    assert measures.r_precision(scores, relevant, k=5).tolist() == [0.5, 1.0]


def test_a_query_without_anything_relevant_has_no_value():
    scores, grades = np.array([[1.0, 0.0], [1.0, 0.0]]), csr_array(np.array([[0.0, 0], [2, 0]]))
    found = measures.ranking(scores, grades)
    assert np.isnan(found["map"][0])
    assert found["ndcg@10"][1] == 1
    assert measures.interval(found["map"], np.arange(2)).mean == 1


def test_equal_scores_keep_their_order():
    assert measures.order(np.array([[1.0, 2.0, 1.0, 2.0]])).tolist() == [[1, 3, 0, 2]]


def test_an_interval_draws_groups_whole():
    values = np.repeat(np.random.default_rng(0).random(50), 20)
    alone = measures.interval(values, np.arange(1000))
    grouped = measures.interval(values, np.repeat(np.arange(50), 20))
    assert alone.mean == grouped.mean
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_a_pair_of_systems_that_differ_by_a_constant_has_a_narrow_interval():
    theirs = np.random.default_rng(1).random(60)
    found = measures.paired([theirs + 0.1, theirs + 0.3], theirs, np.arange(60))
    assert (found.mean, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))
