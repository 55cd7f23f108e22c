"""A stack of dense layers with ReLU."""

from itertools import pairwise

from flax import nnx
from jaxtyping import Array, Float


class MLP(nnx.Module):
    """Dense layers of the given widths, each followed by ReLU."""

    def __init__(self, width: int, hidden: tuple[int, ...], *, rngs: nnx.Rngs):
        self.layers = nnx.List(
            [nnx.Linear(before, after, rngs=rngs) for before, after in pairwise((width, *hidden))]
        )
        self.width = hidden[-1] if hidden else width

    def __call__(self, x: Float[Array, "batch width"]) -> Float[Array, "batch hidden"]:
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return x
