"""What a text becomes: an amount of each of many named skills, the words that it uses themselves,
or a dense vector without names.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.towers.direction import unit

SCALE = 10.0  # of a logit at the start: a text that is a skill's own words has this one
GAIN = 5.0  # of a skill that is stated, at the start: above all that chance suggests


class NamedHead(nnx.Module):
    """The amount of skill k: p_k = max(relu(s h.e_k + b_k), m_k g_k), of which `active` are kept:
    what is stated before what the text suggests, and the largest a_k p_k of each.

    g is what is stated beside the text. The entries a_k p_k make the vector, so that a score is the
    sum over k of w_k p_k q_k with w_k = a_k a'_k >= 0 of the two sides.
    """

    def __init__(self, width: int, skills: int, active: int, *, bias: float = 0.0, rngs: nnx.Rngs):
        self.active = min(active, skills)
        start = nnx.initializers.normal(width**-0.5)
        self.skill = nnx.Param(start(rngs.params(), (skills, width), jnp.float32))
        self.bias = nnx.Param(jnp.full(skills, bias, jnp.float32))
        self.scale = nnx.Param(jnp.full(1, SCALE, jnp.float32))
        self.gain = nnx.Param(jnp.full(skills, GAIN, jnp.float32))
        self.weight = nnx.Param(jnp.ones(skills, jnp.float32))

    @property
    def weights(self) -> Float[Array, " skills"]:
        """a, of which the weight of a skill is the product over both sides."""
        return jnp.abs(self.weight[...])

    def logits(self, told: Float[Array, "documents width"]) -> Float[Array, "documents skills"]:
        """How likely each skill is, by the text."""
        return self.scale[...][None] * (told @ self.skill[...].T) + self.bias[...][None]

    def amounts(
        self,
        logits: Float[Array, "documents skills"],
        given: Float[Array, "documents skills"] | None,
        told: Float[Array, "documents width"],
    ) -> Float[Array, "documents skills"]:
        """p; nothing at all of a document that says nothing."""
        found = jnp.where(jnp.any(told != 0, axis=1, keepdims=True), nnx.relu(logits), 0.0)
        if given is None:
            return found
        return jnp.maximum(found, jnp.abs(self.gain[...])[None] * given)

    def largest(
        self,
        amounts: Float[Array, "documents skills"],
        given: Float[Array, "documents skills"] | None,
    ) -> tuple[Int32[Array, "documents active"], Float[Array, "documents active"]]:
        """The skills that are kept, and their entries."""
        entries = amounts * self.weights[None]
        order = jax.lax.stop_gradient(entries)
        if given is not None:
            most = jnp.max(order, axis=1, keepdims=True)
            order = order + jnp.where(given > 0, 1 + most, 0.0)
        places = jax.lax.top_k(order, self.active)[1]
        return places, jnp.take_along_axis(entries, places, axis=1)


class WordHead(nnx.Module):
    """The words of a text as entries, at length 1: what each counts, times a_t >= 0, learned."""

    def __init__(self, words: int):
        self.weight = nnx.Param(jnp.ones(words, jnp.float32))

    @property
    def weights(self) -> Float[Array, " words"]:
        """a, of which the weight of a word is the product over both sides."""
        return jnp.abs(self.weight[...])

    def __call__(
        self, words: Int32[Array, "documents spoken"], counts: Float[Array, "documents spoken"]
    ) -> Float[Array, "documents spoken"]:
        return unit(self.weights[words] * counts)


class LatentHead(nnx.Module):
    """A linear map to a vector whose entries mean nothing by themselves."""

    def __init__(self, width: int, dim: int, *, rngs: nnx.Rngs):
        start = nnx.initializers.orthogonal()
        self.out = nnx.Param(start(rngs.params(), (width, dim), jnp.float32))

    def __call__(self, told: Float[Array, "documents width"]) -> Float[Array, "documents dim"]:
        return told @ self.out[...]


def spread(
    places: Int32[Array, "documents active"],
    entries: Float[Array, "documents active"],
    skills: int,
) -> Float[Array, "documents skills"]:
    """Entries at their places, the highest where a place comes twice; the rest is 0."""
    row = jnp.arange(places.shape[0])[:, None]
    return jnp.zeros((places.shape[0], skills), entries.dtype).at[row, places].max(entries)
