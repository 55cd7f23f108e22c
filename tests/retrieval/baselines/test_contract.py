"""What every baseline of the registry owes: scores of all items for any users, and better than
chance.
"""

import numpy as np
import pytest

from recsys.retrieval import BASELINES, Scorer, evaluate
from recsys.spec import from_json, to_json
from tests.retrieval.drawn import ITEMS, USERS, interactions

pytestmark = pytest.mark.slow

EXAMPLES = {
    "item_pop": BASELINES["item_pop"](),
    "item_knn": BASELINES["item_knn"](neighbours=10),
    "ease": BASELINES["ease"](l2=10.0),
    "ials": BASELINES["ials"](dim=8, epochs=4),
    "gfcf": BASELINES["gfcf"](rank=8),
}
DATA = interactions()


@pytest.fixture(scope="module", params=EXAMPLES)
def scorer(request) -> Scorer:
    """Each baseline, fitted once."""
    return EXAMPLES[request.param].fit(DATA.train)


def test_every_baseline_has_an_example():
    assert {name: type(spec) for name, spec in EXAMPLES.items()} == BASELINES


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_spec_survives_json(name):
    assert from_json(to_json(EXAMPLES[name])) == EXAMPLES[name]


def test_it_scores_all_items_for_any_users(scorer):
    users = np.array([7, 0, 7])
    scores = np.asarray(scorer.scores(users))
    assert isinstance(scorer, Scorer)
    assert scores.shape == (3, ITEMS)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores[0], scores[2])
    alone = np.asarray(scorer.scores(np.array([7])))
    np.testing.assert_allclose(alone[0], scores[0], rtol=1e-5, atol=1e-5)


def test_users_and_items_without_history_have_finite_scores(scorer):
    assert np.isfinite(np.asarray(scorer.scores(np.arange(USERS)))).all()


def test_it_finds_what_users_liked_better_than_chance(scorer):
    found = evaluate(scorer, DATA, metrics=("recall@10",), progress=False)
    left = ITEMS - np.diff(DATA.train.indptr)[found.ranking.users]  # items a list may draw from
    assert found.metrics["recall@10"] > 1.2 * np.mean(10 / left)
