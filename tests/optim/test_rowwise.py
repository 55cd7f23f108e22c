"""Row optimizers against numbers worked out by hand, and lazy Adam against dense Adam."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recsys.optim import ROW_OPTIMIZERS, SGD, Adagrad, LazyAdam, RowwiseAdagrad
from recsys.optim.rowwise import Touch


def touch(step: int, *, age: float = 1.0, rate: float = 1.0) -> Touch:
    return Touch(jnp.float32(rate), jnp.int32(step), jnp.full((1, 1), age))


def follow(optimizer, grads: list[list[float]], *, rate: float = 1.0) -> list[np.ndarray]:
    """What is added to one row at each step, from fresh slots."""
    width = len(grads[0])
    slots = {
        name: jnp.full((1, spec.width), spec.initial)
        for name, spec in optimizer.slots(width).items()
    }
    changes = []
    for number, grad in enumerate(grads):
        change, slots = optimizer.update(jnp.array([grad]), slots, touch(number + 1, rate=rate))
        changes.append(np.asarray(change)[0])
    return changes


def test_sgd_goes_down_the_gradient():
    assert np.allclose(follow(SGD(0.5), [[2.0, -4.0], [1.0, 0.0]]), [[-1.0, 2.0], [-0.5, 0.0]])


@pytest.mark.slow
def test_the_rate_multiplies_the_learning_rate():
    for optimizer in (SGD(0.5), RowwiseAdagrad(0.5), Adagrad(0.5), LazyAdam(0.5)):
        grads = [[2.0, -4.0], [1.0, 1.0]]
        full, half = follow(optimizer, grads), follow(optimizer, grads, rate=0.5)
        np.testing.assert_allclose(half, np.array(full) / 2, rtol=1e-6)


def test_adagrad_keeps_a_sum_of_squares_for_every_entry():
    changes = follow(Adagrad(0.1, epsilon=0.0, initial=0.0), [[3.0, 4.0], [4.0, 3.0], [12.0, 12.0]])
    expected = [[-0.1, -0.1], [-0.1 * 4 / 5, -0.1 * 3 / 5], [-0.1 * 12 / 13, -0.1 * 12 / 13]]
    np.testing.assert_allclose(changes, expected, rtol=1e-6)


def test_adagrad_starts_from_the_sum_it_is_given():
    np.testing.assert_allclose(
        follow(Adagrad(1.0, epsilon=0.0, initial=16.0), [[3.0]]), [[-0.6]], rtol=1e-6
    )


def test_rowwise_adagrad_keeps_one_sum_of_mean_squares():
    changes = follow(RowwiseAdagrad(0.1, epsilon=0.0), [[1.0, 7.0], [12.0, 0.0]])
    # (1 + 49) / 2 = 25; 25 + 144 / 2 = 97
    expected = [[-0.1 / 5, -0.7 / 5], [-1.2 / 97**0.5, 0.0]]
    np.testing.assert_allclose(changes, expected, rtol=1e-6)
    assert RowwiseAdagrad().slots(64)["sum"].width == 1


def test_rowwise_adagrad_may_forget():
    changes = follow(RowwiseAdagrad(1.0, epsilon=0.0, decay=0.5), [[4.0], [1.0], [1.0]])
    # sums: 16, 8 + 1 = 9, 4.5 + 1 = 5.5
    np.testing.assert_allclose(changes, [[-1.0], [-1 / 3], [-1 / 5.5**0.5]], rtol=1e-6)


@pytest.mark.slow
def test_lazy_adam_is_adam_on_a_row_that_is_read_at_every_step():
    grads = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    adam = optax.adam(0.01)
    state = adam.init(jnp.zeros(3))
    expected = []
    for grad in grads:
        change, state = adam.update(jnp.asarray(grad), state)
        expected.append(np.asarray(change))
    np.testing.assert_allclose(follow(LazyAdam(0.01), grads.tolist()), expected, rtol=1e-5)


def test_the_first_steps_of_lazy_adam_by_hand():
    changes = follow(LazyAdam(1.0, beta1=0.5, beta2=0.5, epsilon=0.0), [[2.0], [4.0]])
    # first 1, second 2; debiased 2 and 4: -2 / 2. Then first 2.5, second 9; by 3/4: 10/3, 12.
    np.testing.assert_allclose(changes, [[-1.0], [-(10 / 3) / 12**0.5]], rtol=1e-6)


@pytest.mark.slow
def test_lazy_adam_has_the_moments_of_dense_adam_however_many_steps_were_skipped():
    rng = np.random.default_rng(1)
    is_read = rng.random(40) < 0.3
    is_read[-1] = True
    grads = rng.normal(size=(40, 4)).astype(np.float32) * is_read[:, None]
    adam = optax.scale_by_adam()
    dense = adam.init(jnp.zeros(4))
    optimizer = LazyAdam(1.0)
    slots = {name: jnp.zeros((1, 4)) for name in optimizer.slots(4)}
    touched = 0
    for number, grad in enumerate(grads, start=1):
        direction, dense = adam.update(jnp.asarray(grad), dense)
        direction = jnp.asarray(direction)
        if is_read[number - 1]:
            age = float(number - touched)
            change, slots = optimizer.update(jnp.asarray(grad)[None], slots, touch(number, age=age))
            touched = number
            np.testing.assert_allclose(change[0], -direction, rtol=1e-4)
    moments: Any = dense
    np.testing.assert_allclose(slots["first"][0], moments.mu, rtol=1e-5)
    np.testing.assert_allclose(slots["second"][0], moments.nu, rtol=1e-5)


@pytest.mark.parametrize("make", ROW_OPTIMIZERS.values(), ids=ROW_OPTIMIZERS)
def test_a_first_gradient_of_zero_moves_nothing(make):
    np.testing.assert_array_equal(follow(make(), [[0.0, 0.0]]), [[0.0, 0.0]])


@pytest.mark.parametrize("make", ROW_OPTIMIZERS.values(), ids=ROW_OPTIMIZERS)
def test_every_optimizer_descends(make):
    for change in follow(make(), [[0.5, -3.0], [0.4, -2.0], [0.6, -4.0]]):
        assert (np.sign(change) == [-1, 1]).all()
