"""Products of features' vectors against every pair by itself."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.towers import pairwise_dots, sum_of_products

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.usefixtures("strict_dtypes")


def drawn(features: int, dim: int = 4, batch: int = 3) -> np.ndarray:
    return np.random.default_rng(features).normal(size=(batch, features, dim)).astype(np.float32)


def test_three_features_by_hand():
    vectors = jnp.array([[[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]]])
    # <v1, v0> = 3 - 2, <v2, v0> = 0.5 + 8, <v2, v1> = 1.5 - 4
    np.testing.assert_allclose(pairwise_dots(vectors), [[1.0, 8.5, -2.5]])
    np.testing.assert_allclose(sum_of_products(vectors), [7.0])


@pytest.mark.parametrize("features", [1, 2, 7])
def test_pairs_agree_with_one_at_a_time(features):
    vectors = drawn(features)
    slow = [
        [v[i] @ v[j] for i, j in itertools.product(range(features), repeat=2) if j < i]
        for v in vectors
    ]
    np.testing.assert_allclose(pairwise_dots(jnp.asarray(vectors)), slow, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", [0, 1, 2, 7])
def test_the_linear_time_identity_is_the_double_sum(features):
    vectors = drawn(features)
    slow = [
        sum(float(v[i] @ v[j]) for i in range(features) for j in range(i + 1, features))
        for v in vectors
    ]
    np.testing.assert_allclose(sum_of_products(jnp.asarray(vectors)), slow, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_a_feature_is_the_sum_of_the_others():
    vectors = jnp.asarray(drawn(4, batch=1))
    gradient = jax.grad(lambda v: sum_of_products(v)[0])(vectors)
    others = np.sum(vectors, axis=1, keepdims=True) - vectors
    np.testing.assert_allclose(gradient, others, rtol=1e-5, atol=1e-5)
