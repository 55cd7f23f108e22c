"""Cross layers by hand."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx

from recsys.towers import Cross
from tests.drawn import drawn


def test_a_cross_layer_by_hand():
    cross = drawn(lambda: Cross(2, 1, rngs=nnx.Rngs(0)))
    layer: Any = cross.layers[0]
    layer.kernel[...] = jnp.array([[1.0, 0.0], [2.0, 1.0]])
    layer.bias[...] = jnp.array([0.5, -1.0])
    # x W + b = (1 + 6 + 0.5, 3 - 1); times x: (7.5, 6); plus x
    np.testing.assert_allclose(cross(jnp.array([[1.0, 3.0]])), [[8.5, 9.0]])


def test_cross_layers_multiply_by_the_first_input():
    cross = drawn(lambda: Cross(1, 2, rngs=nnx.Rngs(0)))
    layers: Any = cross.layers
    for layer in layers:
        layer.kernel[...] = jnp.ones((1, 1))
        layer.bias[...] = jnp.zeros(1)
    # x = 3: 3 * 3 + 3 = 12, then 3 * 12 + 12 = 48
    np.testing.assert_allclose(cross(jnp.array([[3.0]])), [[48.0]])
