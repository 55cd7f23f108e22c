"""Full: every value of every feature has its own float32 row, the table that all others are
measured against.
"""

import dataclasses
import itertools
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Rows, masked
from recsys.tables.method import Category, Method
from recsys.tables.parts import uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class Full(Method):
    """One float32 row a value; needs a vocabulary."""

    category: ClassVar[Category] = "none"
    paper: ClassVar[str] = "the collisionless table"

    initial: float = 0.05  # rows start uniform in [-initial, initial]

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "FullTable":
        rows = sum(field.size for field in fields)
        return FullTable(dim, fields, {"weight": uniform_rows(rows, dim, self.initial, rngs)})

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * sum(field.size for field in fields)


class FullTable(EmbeddingTable):
    """The fields' rows one after another."""

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {"weight": masked(ranked(key, self.fields), key)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]


def ranked(key: Keys, fields: tuple[Field, ...]) -> Int32[Array, "batch places"]:
    """The row of each key where each field has a row for every value, field after field.

    A rank beyond the field's vocabulary reads its last row, the unknown value, never another
    field's.
    """
    sizes = [field.size for field in fields]
    starts = [0, *itertools.accumulate(sizes)][:-1]
    rank = jnp.minimum(key.low, key.of_place([size - 1 for size in sizes], "uint32"))
    return rank.astype(jnp.int32) + key.of_place(starts, "int32")
