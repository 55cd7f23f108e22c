"""The sampled softmax against the full one: the correction for popularity has the right sign."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array, Float

from recsys.losses import Scores, Softmax

ITEMS, DRAWS = 12, 400_000
RNG = np.random.default_rng(0)
SCORES = jnp.asarray(RNG.normal(size=ITEMS), jnp.float32)
CHANCE = np.arange(1, ITEMS + 1) ** 1.5 / (np.arange(1, ITEMS + 1) ** 1.5).sum()
TARGET = 4


def _loss(score: Float[Array, " items"], drawn: np.ndarray, log_count: np.ndarray):
    given = Scores(
        target=score[TARGET][None, None],
        is_target=jnp.ones((1, 1), bool),
        candidate=score[drawn][None],
        is_negative=jnp.asarray(drawn != TARGET)[None],
        log_count=jnp.asarray(log_count, jnp.float32),
        weight=jnp.ones(1, jnp.float32),
    )
    return Softmax()(given)


def _full(score: Float[Array, " items"]) -> Float[Array, ""]:
    return optax.softmax_cross_entropy_with_integer_labels(score, TARGET)


def _gradient(sign: float) -> np.ndarray:
    """Of many candidates drawn by popularity, corrected, or in the wrong direction, or not."""
    drawn = np.random.default_rng(1).choice(ITEMS, DRAWS, p=CHANCE)
    return np.asarray(jax.grad(_loss)(SCORES, drawn, sign * np.log(DRAWS * CHANCE[drawn])))


@pytest.mark.slow
def test_the_whole_catalogue_as_candidates_is_the_full_softmax():
    every, once = np.arange(ITEMS), np.zeros(ITEMS)
    assert float(_loss(SCORES, every, once)) == pytest.approx(float(_full(SCORES)), rel=1e-5)
    np.testing.assert_allclose(
        jax.grad(_loss)(SCORES, every, once), jax.grad(_full)(SCORES), atol=1e-6
    )


@pytest.mark.slow
def test_the_corrected_gradient_is_that_of_the_full_softmax():
    np.testing.assert_allclose(_gradient(1.0), jax.grad(_full)(SCORES), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [0.0, -1.0])
def test_without_the_correction_or_with_its_sign_wrong_it_is_not(sign):
    assert np.abs(_gradient(sign) - np.asarray(jax.grad(_full)(SCORES))).max() > 0.05


def test_candidates_that_come_twice_count_by_their_expectation():
    """Each item's draws together weigh as much as the item once, on average over batches."""
    rng = np.random.default_rng(2)
    total = np.zeros(ITEMS)
    for _ in range(500):
        drawn = rng.choice(ITEMS, 6, p=CHANCE)
        np.add.at(total, drawn, np.exp(-np.log(6 * CHANCE[drawn])))
    np.testing.assert_allclose(total / 500, 1, atol=0.35)


def test_large_scores_do_not_overflow():
    value, gradient = jax.value_and_grad(_loss)(1e4 * SCORES, np.arange(ITEMS), np.zeros(ITEMS))
    assert np.isfinite(float(value))
    assert np.isfinite(np.asarray(gradient)).all()
