"""Cross layers: explicit products of features (Wang et al., "DCN V2", WWW 2021, eq. 1)."""

from flax import nnx
from jaxtyping import Array, Float


class Cross(nnx.Module):
    """x_{l+1} = x_0 * (W_l x_l + b_l) + x_l, for each of `layers` layers."""

    def __init__(self, width: int, layers: int, *, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(width, width, rngs=rngs) for _ in range(layers)])
        self.width = width

    def __call__(self, x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        start = x
        for layer in self.layers:
            x = start * layer(x) + x
        return x
