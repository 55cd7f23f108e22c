"""Words in their order, read by a GRU or an LSTM in both directions."""

import dataclasses
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from recsys.spec import spec
from recsys.towers.direction import unit
from recsys.towers.pooling import MeanPool
from recsys.towers.text.bag import start_at_nothing

CELLS = {"gru": nnx.GRUCell, "lstm": nnx.OptimizedLSTMCell}


@spec
@dataclasses.dataclass(frozen=True)
class Recurrent:
    """The sum of the words, corrected by what a recurrent network reads (Cho et al., EMNLP 2014;
    Hochreiter and Schmidhuber, 1997).
    """

    cell: Literal["gru", "lstm"] = "gru"
    hidden: int = 64  # width of each direction

    def __post_init__(self):
        if self.cell not in CELLS or self.hidden < 1:
            raise ValueError(
                f"Recurrent wants a cell of {', '.join(CELLS)} and hidden of at least 1, got "
                f"cell={self.cell!r} and hidden={self.hidden}."
            )

    def build(self, width: int, *, rngs: nnx.Rngs) -> "RecurrentTower":
        return RecurrentTower(self, width, rngs=rngs)


class RecurrentTower(nnx.Module):
    """x + W mean(states); x is the sum at length 1."""

    def __init__(self, spec: Recurrent, width: int, *, rngs: nnx.Rngs):
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.ways = nnx.List([CELLS[spec.cell](width, spec.hidden, rngs=rngs) for _ in range(2)])
        self.out = start_at_nothing(2 * spec.hidden, width, rngs=rngs)
        self.hidden, self.is_lstm = spec.hidden, spec.cell == "lstm"

    def __call__(
        self, words: Float[Array, "batch words width"], valid: Bool[Array, "batch words"]
    ) -> Float[Array, "batch width"]:
        read = self.norm(words)
        states = [
            self._states(cell, read, valid, backwards=backwards)
            for cell, backwards in zip(self.ways, (False, True), strict=True)
        ]
        told = MeanPool()(jnp.concatenate(states, axis=-1), valid)
        return unit(jnp.sum(words, axis=1)) + self.out(told)

    def _states(
        self,
        cell: nnx.GRUCell | nnx.OptimizedLSTMCell,
        read: Float[Array, "batch words width"],
        valid: Bool[Array, "batch words"],
        *,
        backwards: bool,
    ) -> Float[Array, "batch words hidden"]:
        """The state at each word; padding changes nothing."""
        nothing = jnp.zeros((read.shape[0], self.hidden), jnp.float32)
        start = (nothing, nothing) if self.is_lstm else nothing

        graph, state = nnx.split(cell)

        def step(carry: Any, at: tuple[Array, Array]) -> tuple[Any, Array]:
            word, is_there = at
            new, told = nnx.merge(graph, state)(carry, word)
            return jax.tree.map(lambda n, o: jnp.where(is_there, n, o), new, carry), told

        along = (jnp.moveaxis(read, 1, 0), jnp.moveaxis(valid, 1, 0)[..., None])
        return jnp.moveaxis(jax.lax.scan(step, start, along, reverse=backwards)[1], 0, 1)
