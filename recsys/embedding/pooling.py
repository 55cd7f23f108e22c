"""Bags and sequences as one vector: the sum or the mean of the places that are not padding."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def pool(
    vectors: Float[Array, "batch length dim"],
    valid: Bool[Array, "batch length"],
    pooling: Literal["sum", "mean"],
) -> Float[Array, "batch dim"]:
    """One vector a bag; an empty bag is zero."""
    total = jnp.sum(jnp.where(valid[..., None], vectors, 0.0), axis=1)
    if pooling == "sum":
        return total
    count = jnp.sum(valid, axis=1, keepdims=True, dtype=jnp.float32)
    return total / jnp.maximum(count, 1.0)
