"""Bags and sequences as one vector, by hand."""

import functools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from recsys.embedding.pooling import pool

VECTORS = jnp.array(
    [[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]], [[5.0, 6.0], [7.0, 8.0], [9.0, 9.0]]]
)
VALID = jnp.array([[True, True, False], [False, False, False]])


def test_a_sum_adds_what_is_there():
    np.testing.assert_allclose(pool(VECTORS, VALID, "sum"), [[4.0, 6.0], [0.0, 0.0]])


def test_a_mean_divides_by_what_is_there():
    np.testing.assert_allclose(pool(VECTORS, VALID, "mean"), [[2.0, 3.0], [0.0, 0.0]])


def test_padding_is_not_looked_at():
    spoiled = jnp.where(VALID[..., None], VECTORS, jnp.nan)
    for pooling in ("sum", "mean"):
        np.testing.assert_array_equal(pool(spoiled, VALID, pooling), pool(VECTORS, VALID, pooling))


def test_padding_gets_no_gradient():
    ways: tuple[Literal["sum", "mean"], ...] = ("sum", "mean")
    for pooling in ways:
        total = functools.partial(pool, valid=VALID, pooling=pooling)
        grad = jax.grad(lambda v, total=total: jnp.sum(total(v)))(VECTORS)
        assert np.isfinite(grad).all()
        assert not np.asarray(grad)[~np.asarray(VALID)].any()
        assert np.asarray(grad)[np.asarray(VALID)].all()
