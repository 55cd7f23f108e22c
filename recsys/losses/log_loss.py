"""Binary cross-entropy from logits."""

import dataclasses

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from numpy import ndarray

from recsys.spec import spec

ArrayLike = Array | ndarray


@spec
@dataclasses.dataclass(frozen=True)
class LogLoss:
    """The weighted mean of -log p(label); an example of weight 0 does not count."""

    def __call__(
        self,
        logit: Float[Array, " batch"],
        label: Float[ArrayLike, " batch"],
        weight: Float[ArrayLike, " batch"],
    ) -> Float[Array, ""]:
        each = optax.sigmoid_binary_cross_entropy(logit, label)
        return jnp.sum(each * weight) / jnp.maximum(jnp.sum(weight), 1e-30)
