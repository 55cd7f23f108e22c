"""Full: every value of every feature has its own float32 row, the table that all others are
measured against.
"""

import dataclasses
import itertools
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Rows, masked
from recsys.tables.method import Category, Method, Need
from recsys.tables.parts import uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class Full(Method):
    """One float32 row a value; needs a vocabulary."""

    category: ClassVar[Category] = "none"
    paper: ClassVar[str] = "the collisionless table"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    initial: float = 0.05  # rows start uniform in [-initial, initial]

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "FullTable":
        rows = regions(fields).rows
        return FullTable(dim, fields, {"weight": uniform_rows(rows, dim, self.initial, rngs)})

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * regions(fields).rows


class FullTable(EmbeddingTable):
    """The fields' rows one after another."""

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {"weight": masked(ranked(key, self.fields), key)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]


class Regions(NamedTuple):
    """Where each field's values lie when every value has a row of its own."""

    starts: tuple[int, ...]  # first row of each field; the same for fields of one key space
    rows: int  # of all together


def regions(fields: tuple[Field, ...]) -> Regions:
    """The fields' values one after another, once for each key space."""
    sizes = {field.salt: field.size for field in fields}  # one salt is one key space
    starts = dict(zip(sizes, itertools.accumulate(sizes.values(), initial=0), strict=False))
    return Regions(tuple(starts[field.salt] for field in fields), sum(sizes.values()))


def ranked(key: Keys, fields: tuple[Field, ...]) -> Int32[Array, "batch places"]:
    """The row of each key where each value has its own.

    A rank beyond the field's vocabulary reads its last row, the unknown value, never another
    field's.
    """
    rank = jnp.minimum(key.low, key.of_place([field.size - 1 for field in fields], "uint32"))
    return rank.astype(jnp.int32) + key.of_place(regions(fields).starts, "int32")
