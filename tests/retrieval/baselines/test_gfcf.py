"""GF-CF against its formula in dense matrices."""

import numpy as np
import pytest

from recsys.retrieval.baselines import GFCF
from tests.retrieval.drawn import interactions

TRAIN = interactions().train


def test_scores_agree_with_dense_matrices():
    met = TRAIN.toarray().astype(np.float64)
    root_user, root_item = (np.sqrt(met.sum(axis=axis)) for axis in (1, 0))
    normal = met / np.maximum(root_user[:, None], 1e-9) / np.maximum(root_item[None], 1e-9)
    basis = np.linalg.svd(normal)[2][:6]
    down = np.divide(1, root_item, out=np.zeros_like(root_item), where=root_item > 0)
    ideal = down[:, None] * (basis.T @ basis) * root_item[None]
    users = np.arange(5)
    expected = met[users] @ (normal.T @ normal + 0.3 * ideal)
    scores = np.asarray(GFCF(rank=6, alpha=0.3).fit(TRAIN).scores(users))
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_a_rank_beyond_the_data_is_the_largest_there_is():
    scores = [np.asarray(GFCF(rank=rank).fit(TRAIN).scores(np.arange(3))) for rank in (39, 5000)]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"alpha": -0.1}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="a rank of at least 1 and alpha of at least 0"):
        GFCF(**wrong)
