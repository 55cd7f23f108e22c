"""ItemPop: one list for all."""

import numpy as np

from recsys.retrieval.baselines import ItemPop
from tests.retrieval.drawn import interactions


def test_an_item_scores_how_many_users_met_it():
    train = interactions().train
    scores = np.asarray(ItemPop().fit(train).scores(np.array([3, 0])))
    np.testing.assert_array_equal(scores, [train.toarray().sum(axis=0)] * 2)
