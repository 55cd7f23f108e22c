"""Remapped: shared rows for most values, a row of its own for each value that a small map names.

The map is set-associative: a value may stand in any of the few slots of its bucket, and is known
there by a 32-bit tag. It needs no vocabulary, so it serves raw values as well as ranks. A second
map may name values that read two shared rows, where the rest read one.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.features.hashing import salt
from recsys.tables.base import OUT, Context, EmbeddingTable, Field, Keys, Row, Rows, masked
from recsys.tables.hash import hashed
from recsys.tables.sketch import Names, SketchArray, found, named


class Medium(NamedTuple):
    """The class of values that read a second shared row beside their first."""

    rows: int  # second ones
    tags: UInt32[Array, "buckets slots"]  # values that may be of it
    scores: Float[Array, "buckets slots"] | None = None  # of theirs; None: all are of it
    bar: float | Float[Array, ""] = 0.0  # the score from which they are

    @property
    def holds(self) -> Bool[Array, "buckets slots"]:
        """Which slots hold a value of the class, if any; a walk along all of them."""
        if self.scores is None:
            return jnp.ones(self.tags.shape, bool)
        return self.scores >= self.bar

    def has(self, names: Names) -> Bool[Array, " places"]:
        """Whether each value is of the class."""
        slot = found(self.tags, names)
        if self.scores is None:
            return slot >= 0
        return (slot >= 0) & (self.scores[names.bucket, slot] >= self.bar)


class RemappedTable(EmbeddingTable):
    """The shared rows first, then the row of each slot, bucket after bucket, then the second shared
    ones; only looked up.
    """

    def __init__(
        self,
        dim: int,
        fields: tuple[Field, ...],
        rows: Mapping[str, Array],
        tags: UInt32[Array, "buckets ways"],
        medium: Medium | None = None,
    ):
        super().__init__(dim, fields, rows)
        self.rows = nnx.Dict({name: Row(array) for name, array in rows.items()})  # without padding
        self.tags = SketchArray(tags)
        self.second = medium.rows if medium else 0
        self.medium_tags = SketchArray(medium.tags) if medium else None

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        tags = self.tags[...]
        medium = Medium(self.second, self.medium_tags[...]) if self.medium_tags else None
        shared = self.heights["weight"] - tags.size - self.second
        return {"weight": remapped(key, self.fields, tags, shared, medium)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return summed(rows["weight"], key)


def remapped(
    key: Keys,
    fields: tuple[Field, ...],
    tags: UInt32[Array, "buckets ways"],
    shared: int,
    medium: Medium | None,
) -> Int32[Array, "batch _"]:
    """The row of each key: that of the slot that holds it, else one of the `shared` rows; behind
    them, if there is a middle class, the second rows of those that are of it.
    """
    buckets, ways = tags.shape
    names = named(key, fields, buckets)
    slot = found(tags, names)
    own = (shared + names.bucket * ways + slot).reshape(key.low.shape)
    is_own = (slot >= 0).reshape(key.low.shape)
    first = masked(jnp.where(is_own, own, hashed(key, fields, shared)), key)
    if medium is None:
        return first
    second = shared + tags.size + hashed_again(key, fields, medium.rows)
    is_read = medium.has(names).reshape(key.low.shape) & ~is_own
    return jnp.concatenate([first, masked(jnp.where(is_read, second, OUT), key)], axis=1)


def hashed_again(key: Keys, fields: tuple[Field, ...], rows: int) -> Int32[Array, "batch places"]:
    """The row of each key among the second ones."""
    again = tuple(dataclasses.replace(f, salt=salt("second", f.salt)) for f in fields)
    return hashed(key, again, rows)


def summed(rows: Float[Array, "batch _ dim"], key: Keys) -> Float[Array, "batch places dim"]:
    """The first row of each place, and its second one if there is a middle class."""
    first, second = rows[:, : key.places], rows[:, key.places :]
    return first + second if second.shape[1] else first
