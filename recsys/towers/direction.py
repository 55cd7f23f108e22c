"""What a cosine compares: vectors at length 1."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def unit(vectors: Float[Array, "*n width"]) -> Float[Array, "*n width"]:
    """Vectors of length 1; nothing stays nothing."""
    square = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
    inverse = jax.lax.rsqrt(jnp.maximum(square, 1e-24))
    return vectors * jnp.where(square > 1e-24, inverse, 0.0)
