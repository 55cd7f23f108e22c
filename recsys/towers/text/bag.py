"""Words as a bag: their weighted sum, whatever their order."""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from recsys.spec import spec
from recsys.towers.direction import unit


@spec
@dataclasses.dataclass(frozen=True)
class Bag:
    """The sum of the words, and with `hidden` a dense layer that corrects it."""

    hidden: int = 0  # width of the dense layer; 0: none

    def __post_init__(self):
        if self.hidden < 0:
            raise ValueError(f"Bag wants hidden of at least 0, got {self.hidden}: use 0 for none.")

    def build(self, width: int, *, rngs: nnx.Rngs) -> "BagTower":
        return BagTower(self, width, rngs=rngs)


class BagTower(nnx.Module):
    """x + W relu(V x), which starts as x; x is the sum at length 1."""

    def __init__(self, spec: Bag, width: int, *, rngs: nnx.Rngs):
        self.up = nnx.Linear(width, spec.hidden, rngs=rngs) if spec.hidden else None
        self.down = start_at_nothing(spec.hidden, width, rngs=rngs) if spec.hidden else None

    def __call__(
        self, words: Float[Array, "batch words width"], valid: Bool[Array, "batch words"]
    ) -> Float[Array, "batch width"]:
        found = unit(jnp.sum(words, axis=1))
        if self.up is None or self.down is None:
            return found
        return found + self.down(nnx.relu(self.up(found)))


def start_at_nothing(width: int, out: int, *, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear map to zero, without a bias: what it corrects starts uncorrected, and an empty text
    stays empty.
    """
    zero = nnx.initializers.zeros_init()
    return nnx.Linear(width, out, use_bias=False, kernel_init=zero, rngs=rngs)
