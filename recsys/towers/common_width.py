"""Features' vectors at one width, so that any two of them can be multiplied."""

from collections.abc import Mapping

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.multiplexer import Embedding

NUMBERS_ONLY = 16  # the width where no feature reads a table and none was asked for


class CommonWidth(nnx.Module):
    """Stacks the vectors of all features at one width, most of them through a linear map.

    The vector of a feature goes through a linear map of its own, where it has another width, and
    where its table serves other features too. The second is what lets a product of vectors tell
    features apart that read the same rows: the maps turn them in directions of their own, as the
    first dense layer does for what it reads (Coleman et al., "Unified Embedding", NeurIPS 2023).
    The rows of a table that serves one feature learn all that a map could do.
    """

    def __init__(self, embed: Embedding, dim: int | None, *, rngs: nnx.Rngs):
        """For the features of `embed`; a dim of None is the width of the widest."""
        widths = embed.widths
        self.dim = dim or max(widths.values(), default=NUMBERS_ONLY)
        alone = {p.features[0].name for p in embed.plans.values() if len(p.features) == 1}
        fits = {name for name in alone if widths[name] == self.dim}
        self.kept = tuple(name for name in widths if name in fits)
        by_width: dict[int, list[str]] = {}
        for name, width in widths.items():
            if name not in fits:
                by_width.setdefault(width, []).append(name)
        self.mapped = tuple(map(tuple, by_width.values()))
        start = nnx.initializers.lecun_normal(batch_axis=0)
        self.maps = nnx.List(
            [
                nnx.Param(start(rngs.params(), (len(names), width, self.dim), jnp.float32))
                for width, names in by_width.items()
            ]
        )
        self.features = len(widths)

    def __call__(
        self, vectors: Mapping[str, Array], beside: Float[Array, "batch more dim"]
    ) -> Float[Array, "batch features dim"]:
        """All features in an order that stays the same, after vectors that have the width already.

        Args:
            vectors: by feature.
            beside: of numbers, or none.
        """
        stacked = [beside, *(vectors[name][:, None] for name in self.kept)]
        for names, maps in zip(self.mapped, self.maps, strict=True):
            group = jnp.stack([vectors[name] for name in names], axis=1)
            stacked.append(jnp.einsum("bfw,fwd->bfd", group, maps[...]))
        return jnp.concatenate(stacked, axis=1)


class NumberVectors(nnx.Module):
    """A number as a feature of a factorization machine: a learned vector times its value."""

    def __init__(self, numbers: int, dim: int, *, rngs: nnx.Rngs):
        start = nnx.initializers.normal(0.05)  # about the size of fresh rows
        self.vectors = nnx.Param(start(rngs.params(), (numbers, dim), jnp.float32))

    def __call__(self, numbers: Float[Array, "batch numbers"]) -> Float[Array, "batch numbers dim"]:
        return numbers[:, :, None] * self.vectors[...][None]
