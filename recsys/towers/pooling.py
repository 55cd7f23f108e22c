"""Histories to one vector: mean, sum, attention by a learned query, or attention to latents.

Each is a frozen spec that builds a module over vectors at their places and which of them are real.
An empty history is the zero vector.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from recsys.spec import spec
from recsys.towers.direction import unit


@runtime_checkable
class Pooling(Protocol):
    """A frozen spec of how the vectors of a bag or a sequence become one of the same width."""

    def build(self, width: int, *, rngs: nnx.Rngs) -> "Pool": ...


class Pool(nnx.Module):
    """Vectors at their places to one."""

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        raise TypeError(f"{type(self).__name__} does not say how it pools: define __call__.")


@spec
@dataclasses.dataclass(frozen=True)
class Mean:
    """Each place counts the same."""

    def build(self, width: int, *, rngs: nnx.Rngs) -> Pool:
        return MeanPool()


class MeanPool(Pool):
    """The mean of the real places."""

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        count = jnp.sum(valid, axis=1, keepdims=True, dtype=jnp.float32)
        return _weighted(places, valid.astype(jnp.float32) / jnp.maximum(count, 1.0))


@spec
@dataclasses.dataclass(frozen=True)
class MeanDirection:
    """The mean of places at length 1, as a cosine compares them: what is common weighs no more for
    having longer vectors.
    """

    def build(self, width: int, *, rngs: nnx.Rngs) -> Pool:
        return MeanDirectionPool()


class MeanDirectionPool(Pool):
    """The mean of the real places' directions."""

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        return MeanPool()(unit(places), valid)


@spec
@dataclasses.dataclass(frozen=True)
class Sum:
    """Places add up: ten of them weigh ten times what one does beside a tower's other features."""

    def build(self, width: int, *, rngs: nnx.Rngs) -> Pool:
        return SumPool()


class SumPool(Pool):
    """The sum of the real places."""

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        return _weighted(places, valid.astype(jnp.float32))


@spec
@dataclasses.dataclass(frozen=True)
class Attention:
    """Places count by how well they fit a learned query (Yang et al., NAACL 2016, without the
    hidden layer).

    Starts as the mean.
    """

    def build(self, width: int, *, rngs: nnx.Rngs) -> Pool:
        return AttentionPool(width)


class AttentionPool(Pool):
    """softmax(query . place) over the real places."""

    def __init__(self, width: int):
        self.query = nnx.Param(jnp.zeros(width, jnp.float32))

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        return _weighted(places, _softmax(places @ self.query[...], valid))


@spec
@dataclasses.dataclass(frozen=True)
class LatentAttention:
    """Places look at learned latents before their mean (Lee et al., "NV-Embed", ICLR 2025):
    h + attention(norm(h), latents), then h + GEGLU(norm(h)).
    """

    latents: int = 32  # the dictionary
    heads: int = 4  # that share the width
    hidden: int = 2  # of the dense layer, times the width

    def __post_init__(self):
        if min(self.latents, self.heads, self.hidden) < 1:
            raise ValueError(
                "LatentAttention wants latents, heads and hidden of at least 1, got "
                f"latents={self.latents}, heads={self.heads}, hidden={self.hidden}."
            )

    def build(self, width: int, *, rngs: nnx.Rngs) -> Pool:
        if width % self.heads:
            raise ValueError(
                f"LatentAttention deals vectors of {width} out to heads evenly, got "
                f"heads={self.heads}: use a number that divides the width."
            )
        return LatentAttentionPool(self, width, rngs=rngs)


class LatentAttentionPool(Pool):
    """Queries from the places, keys and values from the latents."""

    def __init__(self, spec: LatentAttention, width: int, *, rngs: nnx.Rngs):
        self.heads = spec.heads
        start = nnx.initializers.normal(1.0)
        self.latents = nnx.Param(start(rngs.params(), (spec.latents, width), jnp.float32))
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(3)])
        self.query, self.key, self.value = (
            nnx.Linear(width, width, use_bias=False, rngs=rngs) for _ in range(3)
        )
        # The two branches start at nothing, so that the pool starts as the mean.
        zero = nnx.initializers.zeros_init()
        self.out = nnx.Linear(width, width, use_bias=False, kernel_init=zero, rngs=rngs)
        self.gates = nnx.Linear(width, 2 * spec.hidden * width, rngs=rngs)
        self.down = nnx.Linear(spec.hidden * width, width, kernel_init=zero, rngs=rngs)

    def __call__(
        self, places: Float[Array, "batch length width"], valid: Bool[Array, "batch length"]
    ) -> Float[Array, "batch width"]:
        latents = self.norms[0](self.latents[...])
        asked = self._deal(self.query(self.norms[1](places)))
        key, value = self._deal(self.key(latents)), self._deal(self.value(latents))
        fit = jnp.einsum("blhw,shw->blhs", asked, key) / jnp.float32(asked.shape[-1] ** 0.5)
        told = jnp.einsum("blhs,shw->blhw", jax.nn.softmax(fit, axis=-1), value)
        places = places + self.out(told.reshape(places.shape))
        gate, up = jnp.split(self.gates(self.norms[2](places)), 2, axis=-1)
        return MeanPool()(places + self.down(jax.nn.gelu(gate) * up), valid)

    def _deal(self, x: Float[Array, "*n width"]) -> Float[Array, "*n heads part"]:
        return x.reshape(*x.shape[:-1], self.heads, -1)


def _softmax(
    fit: Float[Array, "batch length"], valid: Bool[Array, "batch length"]
) -> Float[Array, "batch length"]:
    """Shares of the real places; none where there is no real place."""
    most = jnp.max(jnp.where(valid, fit, -jnp.inf), axis=1, keepdims=True)
    most = jax.lax.stop_gradient(jnp.where(jnp.isfinite(most), most, 0.0))
    each = jnp.where(valid, jnp.exp(jnp.where(valid, fit - most, 0.0)), 0.0)
    return each / jnp.maximum(jnp.sum(each, axis=1, keepdims=True), 1e-30)


def _weighted(
    places: Float[Array, "batch length width"], share: Float[Array, "batch length"]
) -> Float[Array, "batch width"]:
    return jnp.einsum("bl,blw->bw", share, places)


POOLINGS = {
    "mean": Mean,
    "mean_direction": MeanDirection,
    "sum": Sum,
    "attention": Attention,
    "latent_attention": LatentAttention,
}
