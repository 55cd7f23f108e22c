"""A gate on the entries of a vector: which of them a tower shall read."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.towers.mlp import MLP


class FeatureGate(nnx.Module):
    """x * 2 sigmoid(gate(context)), the feature selection of FinalMLP (Mao et al., AAAI 2023).

    The factor 2 lets a gate of zero pass x as it is. Without a context the gate is a learned
    constant; the paper's network over a learned constant is no more than that.

    Args:
        width: of x.
        context: width of what decides; 0 is nothing.
        hidden: widths of the gate's layers between context and x.
    """

    def __init__(
        self, width: int, context: int = 0, hidden: tuple[int, ...] = (), *, rngs: nnx.Rngs
    ):
        decided = MLP(context, hidden, rngs=rngs) if context else None
        self.constant = None if decided else nnx.Param(jnp.zeros(width, jnp.float32))
        self.layers = decided
        self.head = nnx.Linear(decided.width, width, rngs=rngs) if decided else None

    def __call__(
        self,
        x: Float[Array, "batch width"],
        context: Float[Array, "batch context"] | None = None,
    ) -> Float[Array, "batch width"]:
        if self.constant is not None:
            return x * (2 * nnx.sigmoid(self.constant[...]))[None]
        assert self.layers is not None
        assert self.head is not None
        assert context is not None
        return x * (2 * nnx.sigmoid(self.head(self.layers(context))))
