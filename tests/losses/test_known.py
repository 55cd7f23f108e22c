"""Losses of known skills, by hand: absence is unknown, and never a no."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.losses import KNOWN_LOSSES, KnownSoftmax, PositiveUnlabelled

LOGIT = jnp.array([[2.0, 1.0, 0.0], [0.5, 0.0, -1.0]])
GRADE = jnp.array([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
KNOWN = [KnownSoftmax(), KnownSoftmax(unknown=0.5), PositiveUnlabelled(times=1.5)]


def test_the_softmax_of_known_skills_is_as_computed_by_hand():
    with jax.numpy_dtype_promotion("strict"):
        found = KnownSoftmax(unknown=0.5)(LOGIT, GRADE)
    # Skill 2 alone is unknown: -log(e^z / (e^z + 0.5 e^0)), a quarter of skill 0, three of skill 1.
    first, second = np.log(1 + 0.5 * np.exp(-2)), np.log(1 + 0.5 * np.exp(-1))
    np.testing.assert_allclose(found, [(first + 3 * second) / 4, 0], rtol=1e-5)


def test_the_positive_unlabelled_risk_is_as_computed_by_hand():
    def softplus(z):
        return np.log1p(np.exp(z))

    with jax.numpy_dtype_promotion("strict"):
        found = PositiveUnlabelled(times=1.2)(LOGIT, GRADE)
    there = (softplus(-2) + 3 * softplus(-1)) / 4
    absent = softplus(0) / (1.2 * 2 / 3) - (softplus(2) + 3 * softplus(1)) / 4
    assert absent < 0  # so that it is left out: fewer are absent than are expected to be there
    np.testing.assert_allclose(found, [there, 0], rtol=1e-5)


def test_what_is_expected_to_be_there_is_taken_out_of_the_unknown():
    logit = jnp.array([[0.0, 3.0, 3.0, 3.0]])
    grade = jnp.array([[1.0, 0.0, 0.0, 0.0]])
    there, absent = np.log(2), np.log1p(np.exp(3))
    found = PositiveUnlabelled(times=2.0)(logit, grade)
    np.testing.assert_allclose(found, [there + absent / 0.5 - np.log(2)], rtol=1e-5)


@pytest.mark.parametrize("loss", KNOWN, ids=str)
def test_documents_of_which_nothing_is_known_teach_nothing(loss):
    gradient = jax.jit(jax.grad(lambda logit: jnp.sum(loss(logit, GRADE))))(LOGIT)
    np.testing.assert_array_equal(gradient[1], 0)
    assert np.all(np.isfinite(gradient))


def test_an_absent_skill_far_below_the_known_ones_is_left_in_peace():
    # A loss that took absence for a no would go on pushing it down, by sigmoid(0) = 0.5.
    logit = jnp.array([[12.0, 12.0, 0.0]])
    for loss in (KnownSoftmax(), PositiveUnlabelled(times=1.5)):
        gradient = jax.jit(jax.grad(lambda z, loss=loss: loss(z, GRADE[:1])[0]))(logit)
        assert abs(gradient[0, 2]) < 1e-4


def test_known_skills_do_not_compete_with_each_other():
    gradient = jax.jit(jax.grad(lambda z: KnownSoftmax()(z, GRADE)[0]))(LOGIT)
    assert gradient[0, 0] < 0
    assert gradient[0, 1] < 0
    assert gradient[0, 2] > 0


def test_every_loss_of_known_skills_is_tried_here():
    assert {type(loss) for loss in KNOWN} == set(KNOWN_LOSSES.values())


def test_senseless_settings_are_refused():
    with pytest.raises(ValueError, match="unknown above 0"):
        KnownSoftmax(unknown=0.0)
    with pytest.raises(ValueError, match="times of at least 1"):
        PositiveUnlabelled(times=0.5)
