"""Bilinear fusion by hand, and head by head."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.towers import BilinearFusion
from tests.drawn import drawn

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.usefixtures("strict_dtypes")


def test_one_head_by_hand():
    fusion = drawn(lambda: BilinearFusion(2, 1, 1, rngs=nnx.Rngs(0)))
    fusion.own.kernel[...] = jnp.array([[1.0], [2.0], [-1.0]])
    fusion.own.bias[...] = jnp.array([0.5])
    fusion.between[...] = jnp.array([[[3.0], [1.0]]])
    # 0.5 + (1*4 + 2*5) - 6, and (4*3 + 5*1) * 6
    fused = fusion(jnp.array([[4.0, 5.0]]), jnp.array([[6.0]]))
    np.testing.assert_allclose(fused, [8.5 + 102.0])


def test_heads_multiply_their_own_shares_only():
    fusion = drawn(lambda: BilinearFusion(6, 4, 2, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(5, width)).astype(np.float32) for width in (6, 4))
    whole = np.zeros((6, 4))  # the heads are the blocks on the diagonal of one matrix
    whole[:3, :2], whole[3:, 2:] = fusion.between[...]
    own = np.concatenate([first, second], axis=1) @ np.asarray(fusion.own.kernel[...])[:, 0]
    between = np.einsum("bi,ij,bj->b", first, whole, second)
    expected = own + np.asarray(fusion.own.bias[...]) + between
    np.testing.assert_allclose(
        fusion(jnp.asarray(first), jnp.asarray(second)), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("heads", [0, 2, 4])
def test_heads_that_do_not_divide_are_refused(heads):
    with pytest.raises(ValueError, match=f"vectors of 6 and 3 out .* got heads={heads}"):
        BilinearFusion(6, 3, heads, rngs=nnx.Rngs(0))
