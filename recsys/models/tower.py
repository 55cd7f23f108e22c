"""A tower: the features of a user, or of an item, to one vector."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from recsys.embedding.multiplexer import Embedding
from recsys.features.schema import Feature
from recsys.spec import spec
from recsys.towers import MLP, Cross
from recsys.towers.common_width import NumberVectors
from recsys.towers.pooling import Attention, LatentAttention, Mean, MeanDirection, Sum


class Places(NamedTuple):
    """The vectors of a feature at its places, and which places are real."""

    vectors: Float[Array, "batch length width"]
    valid: Bool[Array, "batch length"]


@spec
@dataclasses.dataclass(frozen=True)
class Tower:
    """Features to a vector: their sum, or, with layers, cross and dense layers over all of them."""

    features: tuple[str, ...]  # of the schema
    cross: int = 0  # cross layers
    hidden: tuple[int, ...] = ()  # widths of dense layers; none, and no cross layers: the sum
    # Of bags and sequences.
    pooling: Mean | MeanDirection | Sum | Attention | LatentAttention = Mean()

    def __post_init__(self):
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError(
                f"A tower wants one or more features, each once, got {self.features}: name them."
            )
        if self.cross < 0 or any(width < 1 for width in self.hidden):
            raise ValueError(
                "A tower wants cross >= 0 layers and hidden widths of at least 1, got "
                f"cross={self.cross}, hidden={self.hidden}: use () for no dense layers."
            )


class Projections(nnx.Module):
    """Every feature's vector at one width, through a linear map of its key space where it needs
    one.

    A dot product has no weights that could tell features apart which read the same rows, so where
    a table serves several key spaces each has a map of its own; so has one of another width.
    Features of one key space share the map, so that an item is the same in a history and by itself.
    """

    def __init__(self, embed: Embedding, dim: int, *, is_shared: bool = True, rngs: nnx.Rngs):
        """Maps to width `dim`; with `is_shared` also where tables are shared."""
        widths = embed.widths
        shared = {
            feature.key_space
            for table in embed.plans.values()
            if is_shared and len({f.key_space for f in table.features}) > 1
            for feature in table.features
        }
        spaces = {f.key_space: widths[f.name] for f in embed.schema.categorical}
        start = nnx.initializers.orthogonal()
        self.maps = nnx.Dict(
            {
                space: nnx.Param(start(rngs.params(), (width, dim), jnp.float32))
                for space, width in spaces.items()
                if space in shared or width != dim
            }
        )

    def __call__(
        self, space: str, vectors: Float[Array, "batch length width"]
    ) -> Float[Array, "batch length dim"]:
        return vectors @ self.maps[space][...] if space in self.maps else vectors


class TowerLayers(nnx.Module):
    """The features of a tower to one vector."""

    def __init__(self, spec: Tower, features: Mapping[str, Feature], dim: int, *, rngs: nnx.Rngs):
        """For features by name, each at width `dim` already."""
        self.categorical = tuple(n for n in spec.features if features[n].reads_table)
        numeric = len(spec.features) - len(self.categorical)
        self.pools = nnx.Dict(
            {
                name: spec.pooling.build(dim, rngs=rngs)
                for name in self.categorical
                if features[name].length > 1
            }
        )
        self.numbers = NumberVectors(numeric, dim, rngs=rngs) if numeric else None
        self.is_sum = not spec.cross and not spec.hidden
        if not self.is_sum:
            self.cross = Cross(len(spec.features) * dim, spec.cross, rngs=rngs)
            self.deep = MLP(len(spec.features) * dim, spec.hidden, rngs=rngs)
            self.head = nnx.Linear(self.deep.width, dim, rngs=rngs)

    def __call__(
        self, places: Mapping[str, Places], numbers: Float[Array, "examples numbers"]
    ) -> Float[Array, "batch dim"]:
        parts = [
            self.pools[name](*places[name]) if name in self.pools else places[name].vectors[:, 0]
            for name in self.categorical
        ]
        if self.numbers is not None:
            vectors = self.numbers(numbers)
            parts += [vectors[:, number] for number in range(vectors.shape[1])]
        if self.is_sum:
            return jnp.sum(jnp.stack(parts), axis=0)
        return self.head(self.deep(self.cross(jnp.concatenate(parts, axis=-1))))
