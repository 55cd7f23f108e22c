"""MEmCom: many values share a row, and a number of its own makes each one's vector unique."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, Context, EmbeddingTable, Field, Keys, Rows, masked
from recsys.tables.full import ranked, regions
from recsys.tables.hash import hashed
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.parts import row_dial, uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class MEmCom(Method):
    """A shared hashed row, times a scalar that only this value has, plus another if `has_bias`.

    Pansare et al., "Learning Compressed Embeddings for On-Device Inference", MLSys 2022. The
    scalars cost 1/dim of the full table (2/dim with biases): that is the floor. Needs vocabularies.

    Scalars start uniform around 0 with variance 1. So a vector starts with the spread of a plain
    row, and the gradients that values send to the row they share do not add up before anything is
    known of them; scalars of 1 would start all of them alike.
    """

    category: ClassVar[Category] = "composition"
    paper: ClassVar[str] = "Pansare et al., MLSys 2022"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    rows: int = 65_536  # shared; beside them, each value has its own numbers
    has_bias: bool = False  # a value has a second number, which is added to every entry
    initial: float = 0.05  # shared rows start uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(
                f"MEmCom needs between one row and {MOST_ROWS:,}, got rows={self.rows:,}. "
                "For a budget in bytes use MEmCom().within(budget_bytes, dim, fields)."
            )

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "MEmComTable":
        shared = uniform_rows(self.rows, dim, self.initial, rngs)
        own = uniform_rows(regions(fields).rows, 1, 3**0.5, rngs)  # of variance 1
        own = jnp.pad(own, ((0, 0), (0, int(self.has_bias))))
        return MEmComTable(dim, fields, {"shared": shared, "own": own})

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * self.rows + 4 * (1 + self.has_bias) * regions(fields).rows

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        return row_dial(self, fields)


class MEmComTable(EmbeddingTable):
    """Rows that many values share, and one or two numbers of each value."""

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {
            "shared": masked(hashed(key, self.fields, self.heights["shared"]), key),
            "own": masked(ranked(key, self.fields), key),
        }

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        scale, bias = rows["own"][..., :1], rows["own"][..., 1:]
        vectors = rows["shared"] * scale
        return vectors + bias if bias.shape[-1] else vectors
