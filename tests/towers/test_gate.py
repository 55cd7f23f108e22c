"""Gates: constant or decided by a context."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.towers import FeatureGate
from tests.drawn import drawn

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.usefixtures("strict_dtypes")


def test_a_fresh_constant_gate_passes_all():
    x = jnp.array([[1.0, -2.0], [0.0, 3.0]])
    np.testing.assert_array_equal(FeatureGate(2, rngs=nnx.Rngs(0))(x), x)


def test_a_constant_gate_by_hand():
    gate = drawn(lambda: FeatureGate(3, rngs=nnx.Rngs(0)))
    gate.constant[...] = jnp.array([0.0, 100.0, -100.0])
    np.testing.assert_allclose(gate(jnp.array([[5.0, 5.0, 5.0]])), [[5.0, 10.0, 0.0]], atol=1e-5)


def test_a_context_decides_for_each_example_by_itself():
    gate = drawn(lambda: FeatureGate(2, 1, rngs=nnx.Rngs(0)))
    gate.head.kernel[...] = jnp.array([[100.0, -100.0]])
    gate.head.bias[...] = jnp.zeros(2)
    context = jnp.array([[1.0], [-1.0], [0.0]])
    open_shut = [[2.0, 0.0], [0.0, 2.0], [1.0, 1.0]]
    np.testing.assert_allclose(gate(jnp.ones((3, 2)), context), open_shut, atol=1e-5)


def test_a_gate_may_have_layers_of_its_own():
    gate = drawn(lambda: FeatureGate(4, 3, (7, 5), rngs=nnx.Rngs(0)))
    assert [layer.kernel.shape for layer in gate.layers.layers] == [(3, 7), (7, 5)]
    assert gate(jnp.ones((2, 4)), jnp.ones((2, 3))).shape == (2, 4)
