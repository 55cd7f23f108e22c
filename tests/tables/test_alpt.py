"""ALPT: the scale's gradient by hand, a second pass over updated rows, scales that must learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.optim import SGD, RowTraining, RowwiseAdagrad
from recsys.tables import ALPT, Full
from recsys.tables.alpt import rounded
from recsys.tables.base import Context, Field
from recsys.tables.storage import StoredAs
from recsys.training import Learner, Recipe
from recsys.training.passes import row_noise
from tests.toy import LAYOUTS, Toy, clicks
from tests.training.runs import batch_of

pytestmark = pytest.mark.slow

FIELDS = (Field("only", 700, salt=1),)
ADAGRAD = RowTraining(RowwiseAdagrad(0.1))


@functools.cache
def built(initial: float = 0.01, scale_rate: float = 0.02) -> StoredAs:
    spec = ALPT(initial=initial, scale_rate=scale_rate)
    return spec.build(4, FIELDS, rngs=nnx.Rngs(0))


def learner_of(method: ALPT, *, seed: int = 0, rows=ADAGRAD) -> Learner:
    recipe = Recipe(rows=rows, seed=0)
    return Learner(Toy(LAYOUTS["unified"](method), seed=seed), recipe)


def scales_of(learner, state) -> np.ndarray:
    """Of the rows of the table, its padding left out."""
    table = learner.model(state).embed.tables["unified"]
    return np.array(table.stored()["weight.scale"][: table.heights["weight"], 0])


def test_rounding_and_its_gradients_by_hand():
    """With a scale of 1/2, [0.6, -0.2, 100, -80] are 1.2, -0.4, 200, -160 steps.

    Their codes are 1, 0, 127, -127, and the slopes towards the scale 1 - 1.2 = -0.2, 0 + 0.4 = 0.4,
    and the limits 127 and -127. Under gradients of 1, 2, 3, 4 these sum to
    -0.2 + 0.8 + 381 - 508 = -126.4, times 1 / sqrt(2 * 4 * 127).
    """
    rows, scale = jnp.array([[0.6, -0.2, 100.0, -80.0]]), jnp.array([[0.5]])
    value, back = jax.vjp(lambda r, s: rounded(r, s, batch=2, limit=127), rows, scale)
    np.testing.assert_allclose(value, [[0.5, 0.0, 63.5, -63.5]], rtol=1e-6, atol=1e-6)
    to_rows, to_scale = back(jnp.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_array_equal(to_rows, [[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_allclose(to_scale, [[-126.4 / np.sqrt(2 * 4 * 127)]], rtol=1e-5)
    # With 4 bits the limit is 7: -0.2 + 0.8 + 3 * 7 - 4 * 7 = -6.4.
    value, back = jax.vjp(lambda r, s: rounded(r, s, batch=2, limit=7), rows, scale)
    np.testing.assert_allclose(value, [[0.5, 0.0, 3.5, -3.5]], rtol=1e-6, atol=1e-6)
    _, to_scale = back(jnp.array([[1.0, 2.0, 3.0, 4.0]]))
    np.testing.assert_allclose(to_scale, [[-6.4 / np.sqrt(2 * 4 * 7)]], rtol=1e-5)


def test_storing_by_hand():
    """With a scale of 1/64, [0.5, -0.1, 3, 0] are 32, -6.4, 192 and 0 steps: 192 is cut to 127.

    -6.4 is -7 and 0.6, which noise of 0.39 leaves and noise of 0.41 lifts to -6.
    """
    rows = {"weight": jnp.array([[0.5, -0.1, 3.0, 0.0]]), "weight.scale": jnp.array([[1 / 64]])}
    for noise, code in ((0.39, -7), (0.41, -6)):
        stored = built().store(rows, lambda name, noise=noise: jnp.full((1, 4), noise))
        np.testing.assert_array_equal(stored["weight"], [[32, code, 127, 0]])
        np.testing.assert_array_equal(stored["weight.scale"], [[1 / 64]])
        loaded = built().load(stored)["weight"]
        np.testing.assert_array_equal(loaded, [[0.5, code / 64, 127 / 64, 0.0]])


def test_rounding_is_right_on_average():
    """Over n draws the mean of a code of fraction f has standard error sqrt(f (1 - f) / n)."""
    draws, fraction = 4000, np.array([[0.001, 0.1, 0.5, 0.9]])
    steps = np.array([[100, -100, 0, 5]]) + fraction
    rows = {"weight": jnp.float32(steps / 64), "weight.scale": jnp.array([[1 / 64]])}
    table, at = built(), {"weight": jnp.array([17], jnp.int32)}

    def codes(step):
        context = Context(step=step, seed=jnp.uint32(5), train=True)
        return table.store(rows, row_noise("table", at, rows, context))["weight"]

    mean = np.asarray(jax.vmap(codes)(jnp.arange(draws)), np.float64).mean(axis=0)
    assert (np.abs(mean - steps) < 4 * np.sqrt(fraction * (1 - fraction) / draws)).all()


@settings(deadline=None)
@given(scale=st.floats(width=32, allow_subnormal=False), previous=st.floats(-10, 10, width=32))
def test_scales_stay_positive_and_finite(scale, previous):
    """One that is cleared, or steps out of range, starts over."""
    rows = {"weight": jnp.full((1, 4), previous), "weight.scale": jnp.array([[scale]], jnp.float32)}
    stored = built(initial=0.25).store(rows, lambda name: jnp.full((1, 4), 0.5))
    kept = float(stored["weight.scale"][0, 0])
    assert 0 < kept < np.inf
    assert kept in (scale, 0.25)
    assert np.isfinite(built().load(stored)["weight"]).all()


def test_a_cleared_row_reads_zero_and_starts_at_the_initial_scale():
    table = built(initial=0.25)
    empty = {"weight": jnp.zeros((1, 4), jnp.int8), "weight.scale": jnp.zeros((1, 1))}
    loaded = table.load(empty)
    np.testing.assert_array_equal(loaded["weight"], np.zeros((1, 4)))
    np.testing.assert_array_equal(loaded["weight.scale"], [[0.25]])


def test_scales_survive_a_rate_that_is_far_too_high():
    learner = learner_of(ALPT(scale_rate=100.0))
    state, data = learner.start(), clicks(96 * 8)
    for number in range(40):
        state, _ = learner.step(state, batch_of(data, number))
    scales = scales_of(learner, state)
    assert (scales > 0).all()
    assert np.isfinite(scales).all()
    assert np.isfinite(learner.predict(state, data)).all()


def test_the_second_pass_sees_the_updated_rows():
    """A loaded row is whole codes, where the scale's gradient is zero: only the update moves it."""
    learner = learner_of(ALPT(scale_rate=0.5), rows=RowTraining(SGD(1.0)))
    state, batch = learner.start(), batch_of(clicks(96), 0)
    key = learner.model(state).embed.keys(batch)["unified"]
    address = np.asarray(learner.model(state).embed.tables["unified"].address(key)["weight"])
    before = scales_of(learner, state)
    state, _ = learner.step(state, batch)
    moved = np.abs(scales_of(learner, state) - before)
    is_read = np.isin(np.arange(len(before)), address)
    assert not moved[~is_read].any()
    assert np.median(moved[is_read]) > 1e-6


def test_rates_are_relative_to_the_rows():
    table = built(scale_rate=0.125)
    assert (table.rate("weight"), table.rate("weight.scale")) == (1.0, 0.125)
    assert table.passes == (("weight",), ("weight.scale",))


@pytest.mark.parametrize(
    "wrong", [{"initial": 0.0}, {"initial": float("nan")}, {"scale_rate": -1.0}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValueError, match="ALPT wants a positive initial scale"):
        ALPT(**wrong)


def test_scales_that_do_not_learn_cost_quality():
    """From scales of 1e-4 a row reaches 0.0127 at most, unless its scale grows with it."""
    data, test = clicks(96 * 64), clicks(2000, seed=1)
    learned, frozen = (ALPT(of=Full(), initial=1e-4, scale_rate=rate) for rate in (0.02, 0.0))
    gain = [_loss(frozen, s, data, test) - _loss(learned, s, data, test) for s in range(3)]
    assert min(gain) > 0.08


def _loss(method, seed, data, test) -> float:
    learner = learner_of(method, seed=seed)
    state = learner.start()
    for number in range(200):
        state, _ = learner.step(state, batch_of(data, number))
    logit = np.asarray(learner.predict(state, test), np.float64)
    return float(np.mean(np.logaddexp(0, logit) - test.label * logit))
