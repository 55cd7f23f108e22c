"""Graded nDCG, by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.metrics.graded import graded_ndcg


def test_grades_are_discounted_by_rank_and_users_without_any_are_left_out():
    scores = np.array([[3.0, 2.0, 1.0], [0.0, 0.0, 1.0], [5.0, 1.0, 1.0]])
    grades = csr_array(np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]))
    first = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    assert graded_ndcg(scores, grades, k=2) == pytest.approx((first + 0) / 2)
    assert graded_ndcg(scores, grades, k=3) == pytest.approx((first + 1 / np.log2(4)) / 2)


def test_a_measure_of_nobody_is_refused():
    with pytest.raises(ValueError, match="got none"):
        graded_ndcg(np.ones((1, 2)), csr_array((1, 2), dtype=np.float32), k=10)
