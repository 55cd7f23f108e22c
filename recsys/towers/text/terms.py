"""How much each n-gram of a text counts: learned, starting from how rare it is."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, UInt32

from recsys.features.hashing import bucket, salt

SALT = salt("term")
MOST = 8.0  # times the weight of the most frequent


class TermWeights(nnx.Module):
    """A weight above 0 a hashed n-gram, and one for each place of a word."""

    def __init__(self, buckets: int, places: int):
        """All alike at first."""
        self.log_weight = nnx.Param(jnp.zeros(buckets, jnp.float32))
        self.place = nnx.Param(jnp.ones(places, jnp.float32))

    def __call__(
        self, high: UInt32[Array, "batch words places"], low: UInt32[Array, "batch words places"]
    ) -> Float[Array, "batch words places"]:
        rows = hashed_terms(high, low, len(self.log_weight[...]))
        return jnp.exp(self.log_weight[...][rows]) * self.place[...][None, None, :]

    def start_from(self, frequency: Int[np.ndarray, " buckets"], *, texts: int) -> None:
        """Starts from how many texts have an n-gram of each bucket: log(1 + texts / frequency),
        inverse document frequency (Spärck Jones, 1972).
        """
        weight = np.log1p(texts / np.maximum(frequency, 0.5))
        weight = np.minimum(weight / weight.min(), MOST)
        log_weight = np.log(weight / np.sqrt(MOST))
        self.log_weight[...] = jnp.asarray(log_weight.astype(np.float32))


def hashed_terms(high: Any, low: Any, buckets: int) -> Any:
    """The bucket of each n-gram, in NumPy or in JAX."""
    return bucket(high, low, SALT, buckets)


def combined(
    vectors: Float[Array, "batch words places width"],
    weights: Float[Array, "batch words places"],
    valid: Bool[Array, "batch words places"],
) -> Float[Array, "batch words width"]:
    """Words as the weighted sums of what is read of them."""
    return jnp.einsum("blpw,blp->blw", vectors, jnp.where(valid, weights, 0.0))
