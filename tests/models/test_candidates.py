"""Candidates remembered from earlier batches: negatives as they were then, without a gradient."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.models.two_tower import TwoTowerModel
from recsys.tables.base import Context
from recsys.training import Learner, Recipe
from tests.models.test_two_tower import SPEC, batch

REMEMBERING = dataclasses.replace(SPEC, memory=40)  # a batch of 6 brings 30 candidates
BATCHES = [batch(SPEC, seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def ran():
    """The states after each of two steps, on the host, and the vectors of each batch before it."""
    learner = Learner(lambda: REMEMBERING.build(rngs=nnx.Rngs(0)), Recipe())
    state, states, vectors = learner.start(), [], []

    @nnx.jit
    def items(model: TwoTowerModel, batch):
        return model.encode(model.embed(batch), batch, Context.still()).items

    for own in BATCHES:
        vectors.append(np.asarray(items(learner.model(state), own)).reshape(-1, SPEC.dim))
        state, _ = learner.step(state, own)
        states.append(jax.device_get(state))
    return learner, states, vectors


@pytest.mark.slow
def test_the_newest_candidates_are_kept_as_they_were(ran):
    _, states, vectors = ran
    memory = states[1].rest["memory"]
    wanted = np.concatenate([vectors[1], vectors[0]])[:40]
    np.testing.assert_allclose(memory["vector"][...], wanted, rtol=1e-4, atol=1e-5)
    valid = [np.asarray(own.valid)[:, SPEC.packed.span("item")].ravel() for own in BATCHES]
    np.testing.assert_array_equal(
        memory["is_there"][...], np.concatenate([valid[1], valid[0]])[:40]
    )
    assert not states[0].rest["memory"]["is_there"][...][30:].any()


@pytest.mark.slow
def test_they_are_negatives_of_the_next_batch(ran):
    learner, states, _ = ran
    model, own = learner.model(states[0]), BATCHES[1]
    scores = nnx.jit(lambda model: model.scores(model.embed(own), own))(model)
    assert scores.candidate.shape == (6, 70)
    fresh = nnx.jit(lambda model: model.scores(model.embed(own), own))(
        learner.model(learner.start())
    )
    there = np.asarray(states[0].rest["memory"]["is_there"][...])
    assert not np.asarray(fresh.is_negative)[:, 30:].any()
    assert np.asarray(scores.is_negative)[:, 30:][:, ~there].sum() == 0
    assert np.asarray(scores.is_negative)[:, 30:][:, there].mean() > 0.5
    own_count = np.asarray(own.valid)[:, SPEC.packed.span("item")].sum()
    more = np.log1p(there.sum() / own_count)
    np.testing.assert_allclose(
        np.asarray(scores.log_count)[:30] - np.asarray(fresh.log_count)[:30], more, rtol=1e-4
    )


@pytest.mark.slow
def test_a_step_that_is_left_out_is_not_remembered(ran):
    learner, states, _ = ran
    kept = {n: np.array(own[...]) for n, own in states[0].rest["memory"].items()}
    broken = dataclasses.replace(BATCHES[1], weight=np.full(6, np.nan, np.float32))
    state, report = learner.step(jax.device_put(states[0], learner.layout), broken)
    assert not report.is_finite
    for name, wanted in kept.items():
        np.testing.assert_array_equal(state.rest["memory"][name][...], wanted)


def test_a_memory_below_zero_is_refused():
    with pytest.raises(ValueError, match="memory and candidates of at least 0"):
        dataclasses.replace(SPEC, memory=-1)
