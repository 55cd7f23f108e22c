"""ItemKNN against loops over pairs of items."""

import numpy as np
import pytest

from recsys.retrieval.baselines import ItemKNN
from tests.retrieval.drawn import ITEMS, interactions

TRAIN = interactions().train
USERS = np.arange(5)


@pytest.mark.parametrize(("neighbours", "shrink"), [(1, 0.0), (7, 0.0), (7, 3.0), (200, 0.0)])
def test_scores_agree_with_a_dense_reference(neighbours, shrink):
    met = TRAIN.toarray().astype(np.float64)
    norm = np.linalg.norm(met, axis=0)
    weight = np.zeros((ITEMS, ITEMS))
    for item in range(ITEMS):
        if norm[item]:
            near = met.T @ met[:, item] / (norm * norm[item] + shrink + (norm == 0))
            near[item] = 0
            kept = np.argsort(-near, kind="stable")[:neighbours]
            weight[item, kept] = near[kept]
    scores = np.asarray(ItemKNN(neighbours, shrink).fit(TRAIN).scores(USERS))
    np.testing.assert_allclose(scores, met[USERS] @ weight, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"neighbours": 0}, {"shrink": -1.0}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="at least one neighbour and a shrink of at least 0"):
        ItemKNN(**wrong)
