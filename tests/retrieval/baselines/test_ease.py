"""EASE against the regressions that it solves all at once."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.retrieval.baselines import EASE
from tests.retrieval.drawn import ITEMS, interactions

TRAIN = interactions().train


def test_each_item_is_the_ridge_regression_on_all_others():
    met, l2 = TRAIN.toarray().astype(np.float64), 10.0
    weight = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        others = np.delete(np.arange(ITEMS), item)
        gram = met[:, others].T @ met[:, others] + l2 * np.eye(ITEMS - 1)
        weight[others, item] = np.linalg.solve(gram, met[:, others].T @ met[:, item])
    users = np.arange(5)
    scores = np.asarray(EASE(l2).fit(TRAIN).scores(users))
    np.testing.assert_allclose(scores, met[users] @ weight, rtol=1e-4, atol=1e-5)


def test_a_catalogue_too_large_for_a_dense_matrix_is_refused():
    with pytest.raises(ValueError, match=r"takes at most 20,000, got 20,001: use GFCF"):
        EASE().fit(csr_array((3, 20_001)))


def test_no_regularisation_is_refused():
    with pytest.raises(ValueError, match=r"wants l2 above 0, got 0\.0"):
        EASE(l2=0.0)
