"""Two vectors to one number: their own weights, and products between them."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class BilinearFusion(nnx.Module):
    """b + w_1 . o_1 + w_2 . o_2 + sum_h o_1h W_h o_2h over heads h (Mao et al., "FinalMLP", AAAI
    2023).

    A head multiplies its share of o_1 with its share of o_2, so that k heads need a k-th of the
    weights of one.
    """

    def __init__(self, first: int, second: int, heads: int, *, rngs: nnx.Rngs):
        if heads < 1 or first % heads or second % heads:
            raise ValueError(
                f"Bilinear fusion deals vectors of {first} and {second} out to heads evenly, got "
                f"heads={heads}: use a number that divides both."
            )
        self.heads = heads
        self.own = nnx.Linear(first + second, 1, rngs=rngs)
        start = nnx.initializers.lecun_normal(batch_axis=0)
        shape = (heads, first // heads, second // heads)
        self.between = nnx.Param(start(rngs.params(), shape, jnp.float32))

    def __call__(
        self, first: Float[Array, "batch first"], second: Float[Array, "batch second"]
    ) -> Float[Array, " batch"]:
        own = self.own(jnp.concatenate([first, second], axis=-1))[:, 0]
        left = first.reshape(len(first), self.heads, -1)
        right = second.reshape(len(second), self.heads, -1)
        turned = jnp.einsum("bhi,hij->bhj", left, self.between[...])
        return own + jnp.sum(turned * right, axis=(1, 2))
