"""Hash: values share float32 rows at random; over several features, the multiplexed table of
Unified Embedding.
"""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.features.hashing import bucket
from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, Context, EmbeddingTable, Field, Keys, Rows, masked
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import row_dial, uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class Hash(Method):
    """A fixed number of float32 rows; each field hashes into all of them with its own salt.

    One feature alone is the hashing trick (Weinberger et al., ICML 2009); several features in one
    table are feature multiplexing (Coleman et al., "Unified Embedding", NeurIPS 2023, section 3).
    """

    category: ClassVar[Category] = "hashing"
    paper: ClassVar[str] = "Weinberger et al., ICML 2009; Coleman et al., NeurIPS 2023"

    rows: int = 65_536
    initial: float = 0.05  # rows start uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(
                f"Hash needs between one row and {MOST_ROWS:,}, got rows={self.rows:,}. "
                "For a budget in bytes use Hash().within(budget_bytes, dim, fields)."
            )

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "HashTable":
        return HashTable(dim, fields, {"weight": uniform_rows(self.rows, dim, self.initial, rngs)})

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * self.rows

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        return row_dial(self, fields)


class HashTable(EmbeddingTable):
    """Rows that many values share."""

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {"weight": masked(hashed(key, self.fields, self.heights["weight"]), key)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]


def hashed(key: Keys, fields: tuple[Field, ...], rows: int) -> Int32[Array, "batch places"]:
    """The row of each key under its field's salt."""
    salts = key.of_place([field.salt for field in fields], "uint32")
    return jnp.asarray(bucket(key.high, key.low, salts, rows))
