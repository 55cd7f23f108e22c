"""Words that look at each other: a small transformer."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float

from recsys.spec import spec
from recsys.towers.direction import unit
from recsys.towers.pooling import MeanPool
from recsys.towers.text.bag import start_at_nothing


@spec
@dataclasses.dataclass(frozen=True)
class Transformer:
    """The sum of the words, corrected by what attention makes of them (Vaswani et al., NeurIPS
    2017, with the norms first: Xiong et al., ICML 2020).
    """

    layers: int = 2
    heads: int = 4  # that share the width
    hidden: int = 2  # of the dense layer, times the width

    def __post_init__(self):
        if min(self.layers, self.heads, self.hidden) < 1:
            raise ValueError(
                "Transformer wants layers, heads and hidden of at least 1, got "
                f"layers={self.layers}, heads={self.heads}, hidden={self.hidden}."
            )

    def build(self, width: int, *, rngs: nnx.Rngs) -> "TransformerTower":
        if width % self.heads:
            raise ValueError(
                f"Transformer deals vectors of {width} out to heads evenly, got "
                f"heads={self.heads}: use a number that divides the width."
            )
        return TransformerTower(self, width, rngs=rngs)


class TransformerTower(nnx.Module):
    """x + W mean(blocks(words + positions)); x is the sum at length 1."""

    def __init__(self, spec: Transformer, width: int, *, rngs: nnx.Rngs):
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.blocks = nnx.List([Block(spec, width, rngs=rngs) for _ in range(spec.layers)])
        self.out = start_at_nothing(width, width, rngs=rngs)

    def __call__(
        self, words: Float[Array, "batch words width"], valid: Bool[Array, "batch words"]
    ) -> Float[Array, "batch width"]:
        read = self.norm(words) + positions(words.shape[1], words.shape[2])[None]
        for block in self.blocks:
            read = block(read, valid)
        return unit(jnp.sum(words, axis=1)) + self.out(MeanPool()(read, valid))


class Block(nnx.Module):
    """x + attention(norm(x)), then x + GELU layer(norm(x))."""

    def __init__(self, spec: Transformer, width: int, *, rngs: nnx.Rngs):
        self.heads = spec.heads
        self.norms = nnx.List([nnx.LayerNorm(width, rngs=rngs) for _ in range(2)])
        self.all = nnx.Linear(width, 3 * width, rngs=rngs)
        self.out = nnx.Linear(width, width, rngs=rngs)
        self.up = nnx.Linear(width, spec.hidden * width, rngs=rngs)
        self.down = nnx.Linear(spec.hidden * width, width, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch words width"], valid: Bool[Array, "batch words"]
    ) -> Float[Array, "batch words width"]:
        batch, words, width = x.shape
        asked = self.all(self.norms[0](x)).reshape(batch, words, 3, self.heads, -1)
        # A text without words looks at its padding, so that no share is 0 / 0; nobody reads it.
        mask = (valid | ~jnp.any(valid, axis=1, keepdims=True))[:, None, None, :]
        told = jax.nn.dot_product_attention(
            asked[:, :, 0], asked[:, :, 1], asked[:, :, 2], mask=mask
        )
        x = x + self.out(told.reshape(batch, words, width))
        return x + self.down(nnx.gelu(self.up(self.norms[1](x))))


def positions(words: int, width: int) -> Float[np.ndarray, "words width"]:
    """Sines and cosines of a word's number at wavelengths from 2 pi to 10,000 times that."""
    rate = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angle = np.arange(words)[:, None] * rate[None, :]
    both = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(words, -1)
    return both[:, :width].astype(np.float32)
