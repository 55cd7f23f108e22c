"""Dense layers: their widths."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.towers import MLP
from tests.drawn import drawn


@pytest.mark.slow
def test_dense_layers_have_the_widths_that_were_asked_for():
    mlp = drawn(lambda: MLP(5, (7, 3), rngs=nnx.Rngs(0)))
    assert mlp.width == 3
    out = mlp(jnp.ones((2, 5)))
    assert out.shape == (2, 3)
    assert (np.asarray(out) >= 0).all()
    assert MLP(5, (), rngs=nnx.Rngs(0)).width == 5
