"""Remapped: shared rows for most values, a row of its own for each value that a small map names.

The map is set-associative: a value may stand in any of the few slots of its bucket, and is known
there by a 32-bit tag. It needs no vocabulary, so it serves raw values as well as ranks.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32, UInt32

from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Row, Rows, masked
from recsys.tables.hash import hashed
from recsys.tables.sketch import SketchArray, found, named


class RemappedTable(EmbeddingTable):
    """The shared rows first, then the row of each slot, bucket after bucket; only looked up."""

    def __init__(
        self,
        dim: int,
        fields: tuple[Field, ...],
        rows: Mapping[str, Array],
        tags: UInt32[Array, "buckets ways"],
    ):
        super().__init__(dim, fields, rows)
        self.rows = nnx.Dict({name: Row(array) for name, array in rows.items()})  # without padding
        self.tags = SketchArray(tags)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        shared = self.heights["weight"] - self.tags[...].size
        return {"weight": remapped(key, self.fields, shared, self.tags[...])}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]


def remapped(
    key: Keys, fields: tuple[Field, ...], shared: int, tags: UInt32[Array, "buckets ways"]
) -> Int32[Array, "batch places"]:
    """The row of each key: that of the slot that holds it, else one of the `shared` rows."""
    buckets, ways = tags.shape
    names = named(key, fields, buckets)
    slot = found(tags, names)
    own = (shared + names.bucket * ways + slot).reshape(key.low.shape)
    is_own = (slot >= 0).reshape(key.low.shape)
    return masked(jnp.where(is_own, own, hashed(key, fields, shared)), key)
