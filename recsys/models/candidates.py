"""What two towers compare: users and what they chose, candidates, and candidates remembered."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, UInt32

from recsys.pytree import pytree


class Encoded(NamedTuple):
    """The vectors of examples, each made without looking at the others."""

    user: Float[Array, "batch dim"]
    items: Float[Array, "batch slots dim"]


@pytree
@dataclasses.dataclass(frozen=True)
class Asked:
    """Users of a batch, and what each chose."""

    user: Float[Array, "batch dim"]
    target: Float[Array, "batch targets dim"]
    is_target: Bool[Array, "batch targets"]
    known: UInt32[Array, "batch known"]  # items that are no negatives to the user
    is_known: Bool[Array, "batch known"]
    weight: Float[Array, " batch"]


@pytree
@dataclasses.dataclass(frozen=True)
class Candidates:
    """Items that all users of a batch are compared with."""

    vector: Float[Array, "candidates dim"]
    key: UInt32[Array, " candidates"]
    is_there: Bool[Array, " candidates"]
    log_count: Float[Array, " candidates"]  # of how often each was expected in its batch


class Memory(nnx.Module):
    """The latest candidates of earlier batches, with the vectors they had then: more negatives
    than a batch holds, without a gradient (Wang et al., "Cross-Batch Memory", CVPR 2020).
    """

    def __init__(self, size: int, dim: int):
        """Of so many candidates; none is there yet."""
        self.vector = nnx.Variable(jnp.zeros((size, dim), jnp.float32))
        self.key = nnx.Variable(jnp.zeros(size, jnp.uint32))
        self.is_there = nnx.Variable(jnp.zeros(size, bool))
        self.log_count = nnx.Variable(jnp.zeros(size, jnp.float32))

    @property
    def held(self) -> Candidates:
        """What is remembered."""
        parts = (self.vector, self.key, self.is_there, self.log_count)
        return Candidates(*(jax.lax.stop_gradient(part[...]) for part in parts))

    def behind(self, own: Candidates) -> Candidates:
        """Candidates of a batch, and behind them those remembered.

        Memory is as if the batch were larger, so each item is expected more often.
        """
        both = _joined(own, self.held)
        there = [jnp.sum(part.is_there, dtype=jnp.float32) for part in (own, self.held)]
        more = jnp.log1p(there[1] / jnp.maximum(there[0], 1.0))
        return dataclasses.replace(both, log_count=both.log_count + more)

    def add(self, own: Candidates, is_good: Bool[Array, ""]) -> None:
        """The newest first; the oldest are forgotten."""
        size, held = len(self.key[...]), self.held
        new = jax.tree.map(lambda part: part[:size], _joined(jax.lax.stop_gradient(own), held))
        kept = jax.tree.map(lambda n, o: jnp.where(is_good, n, o), new, held)
        for part in dataclasses.fields(kept):
            getattr(self, part.name).set_value(getattr(kept, part.name))


def zeros_after(value: Float[Array, ""], shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Zeros that come into being once a value is known: XLA makes others at the start of a step,
    and they take memory all the while. Of a value that is no number they are none either.
    """
    return jnp.broadcast_to(jnp.minimum(jnp.abs(value), 0.0), shape)


def _joined(first: Candidates, second: Candidates) -> Candidates:
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), first, second)
