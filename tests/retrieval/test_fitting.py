"""Two towers trained on interactions: they beat popularity, resume, and serve anybody."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from recsys.data.interactions import Interactions, sparse
from recsys.losses import CosineContrastive
from recsys.models import Tower
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.retrieval import BASELINES, Scorer, evaluate
from recsys.retrieval.examples import Sides
from recsys.retrieval.fitting import Fitted, fit
from recsys.retrieval.user_batches import Sampling, UserBatches
from recsys.retrieval.vectors import embed
from recsys.towers.pooling import MeanDirection
from recsys.training import Learner, Recipe
from tests.retrieval.drawn import ITEMS, USERS, interactions
from tests.retrieval.towers import HISTORY_ONLY

pytestmark = pytest.mark.slow

DATA = interactions()
SIDES = Sides.of(HISTORY_ONLY, DATA.train)
RECIPE = Recipe(rows=RowTraining(LazyAdam(0.03)), dense=Adam(0.03))


@pytest.fixture(scope="module")
def learner() -> Learner:
    return Learner(lambda: HISTORY_ONLY.build(rngs=nnx.Rngs(0)), RECIPE)


def _fit(learner: Learner, epochs: int, **options) -> Fitted:
    batches = UserBatches(SIDES, size=20)
    return fit(learner, batches, epochs=epochs, valid=DATA, every=2, progress=False, **options)


@pytest.fixture(scope="module")
def fitted(learner) -> Fitted:
    return _fit(learner, 12)


def _ndcg(scorer: Scorer) -> float:
    return evaluate(scorer, DATA, metrics=("ndcg@10",), progress=False).metrics["ndcg@10"]


@pytest.fixture(scope="module")
def popular() -> float:
    return _ndcg(BASELINES["item_pop"]().fit(DATA.train))


def test_it_beats_popularity(fitted, popular):
    assert _ndcg(embed(HISTORY_ONLY, fitted.state, SIDES)) > 1.1 * popular


def test_margins_that_are_wider_for_popular_items_beat_popularity(popular):
    spec = dataclasses.replace(
        HISTORY_ONLY,
        user=Tower(("history",), pooling=MeanDirection()),
        temperature=1.0,
        loss=CosineContrastive(margin=0.5, weight=5.0, slack=0.05),
    )
    sides = Sides.of(spec, DATA.train)
    batches = UserBatches(sides, size=20, sampling=Sampling(shift=1.0))
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(0)), RECIPE)
    fitted = fit(learner, batches, epochs=12, valid=DATA, every=6, progress=False)
    assert _ndcg(embed(spec, fitted.state, sides)) > 1.1 * popular


def test_the_best_epoch_comes_back(fitted):
    recalls = [measured["recall@20"] for measured in fitted.history]
    assert fitted.valid["recall@20"] == max(recalls)
    assert fitted.epoch == 2 * (recalls.index(max(recalls)) + 1)
    scorer = embed(HISTORY_ONLY, fitted.state, SIDES)
    found = evaluate(scorer, DATA, metrics=("recall@20",), progress=False)
    assert found.metrics["recall@20"] == pytest.approx(max(recalls), abs=1e-12)


def test_a_killed_run_goes_on_to_the_same_end(learner, fitted, tmp_path):
    _fit(learner, 4, directory=tmp_path)
    resumed = _fit(learner, 12, directory=tmp_path)
    assert resumed.history == fitted.history
    assert resumed.epoch == fitted.epoch


def test_patience_ends_a_run_that_no_longer_gains(learner):
    stopped = _fit(learner, 60, patience=1)
    recalls = [measured["recall@20"] for measured in stopped.history]
    assert len(recalls) < 30
    assert recalls[-1] <= max(recalls[:-1])


def test_vectors_are_a_scorer_whose_history_may_be_cut_elsewhere(fitted):
    whole = embed(HISTORY_ONLY, fitted.state, SIDES, history=ITEMS)
    assert isinstance(whole, Scorer)
    met = DATA.train.toarray()[5] > 0
    mean = np.asarray(whole.item)[met].mean(axis=0)
    raw = fitted.state.rows["embed"]["tables"]["unified"]["rows"]["weight"][...]
    mean = np.asarray(raw)[:ITEMS][met].mean(axis=0)
    np.testing.assert_allclose(whole.user[5], mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-5)


def test_a_user_of_whom_nothing_is_known_is_shown_what_most_have_met(fitted):
    user, item = DATA.train.nonzero()
    nobody = Interactions(
        sparse(user, item, (USERS + 1, ITEMS)),
        sparse(np.array([USERS]), np.array([0]), (USERS + 1, ITEMS)),
    )
    vectors = embed(HISTORY_ONLY, fitted.state, Sides.of(HISTORY_ONLY, nobody.train))
    assert np.flatnonzero(~vectors.is_known).tolist() == [0, USERS]
    shown = evaluate(vectors, nobody, metrics=("recall@10",), progress=False).ranking.items[0]
    counts = DATA.train.toarray().sum(axis=0)
    assert (np.diff(counts[shown[:10]]) <= 0).all()
    assert shown[0] == counts.argmax()


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 2, "every": 0}])
def test_no_epochs_are_refused(learner, wrong):
    with pytest.raises(ValueError, match="epochs and every of at least 1"):
        fit(learner, UserBatches(SIDES, size=20), **wrong)


def test_validation_that_was_trained_on_is_refused(learner):
    with pytest.raises(ValueError, match="towers that saw its train alone"):
        fit(learner, UserBatches(SIDES, size=20), epochs=1, valid=DATA.validation())
