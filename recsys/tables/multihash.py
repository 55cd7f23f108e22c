"""MultiHash: a vector is the sum of several shared rows; few values share all of theirs."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.features.hashing import bucket, salt
from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, OUT, Context, EmbeddingTable, Field, Keys, Rows
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import row_dial, uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class MultiHash(Method):
    """A fixed number of float32 rows of which every value reads several, under independent hashes.

    Two values of a table of m rows share a row with chance 1/m under one hash, and all k of their
    rows with chance about 1/m^k: a sum tells nearly all values apart. Sums of probes: Serrà and
    Karatzoglou, "Getting Deep Recommenders Fit", RecSys 2017; two of them, as here by default, are
    the double hashing of Zhang et al., RecSys 2020. One probe is `Hash`.
    """

    category: ClassVar[Category] = "hashing"
    paper: ClassVar[str] = "Serrà and Karatzoglou, RecSys 2017; Zhang et al., RecSys 2020"

    rows: int = 65_536
    probes: int = 2  # rows that a value reads, at least 1
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(
                f"MultiHash needs between one row and {MOST_ROWS:,}, got rows={self.rows:,}. "
                "For a budget in bytes use MultiHash().within(budget_bytes, dim, fields)."
            )
        if self.probes < 1:
            raise ValueError(
                f"MultiHash reads at least one row, got probes={self.probes}: use 2, or 1 for Hash."
            )

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "MultiHashTable":
        bound = self.initial / math.sqrt(self.probes)  # variances of independent rows add up
        rows = {"weight": uniform_rows(self.rows, dim, bound, rngs)}
        return MultiHashTable(dim, fields, rows, probes=self.probes)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * self.rows

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        return row_dial(self, fields)


class MultiHashTable(EmbeddingTable):
    """Rows that many values share, a few at a time."""

    def __init__(self, dim: int, fields: tuple[Field, ...], rows: Rows, *, probes: int):
        super().__init__(dim, fields, rows)
        self.probes = probes

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """The probes of a place stand side by side."""
        rows = probed(key, self.fields, self.heights["weight"], self.probes)
        rows = jnp.where(key.valid[:, :, None], rows, OUT)
        return {"weight": rows.reshape(rows.shape[0], -1)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        read = rows["weight"].reshape(*key.low.shape, self.probes, self.dim)
        return jnp.sum(read, axis=2)


def probed(
    key: Keys, fields: tuple[Field, ...], rows: int, probes: int
) -> Int32[Array, "batch places probes"]:
    """The row of each probe of each key; that of the first is the key's row in a Hash."""
    salts = np.stack([key.of_place(own, "uint32") for own in _salts(fields, probes)], axis=-1)
    return jnp.asarray(bucket(key.high[:, :, None], key.low[:, :, None], salts, rows))


def _salts(fields: tuple[Field, ...], probes: int) -> list[list[int]]:
    """For each probe, a salt a field."""
    later = [[salt("probe", probe, f.salt) for f in fields] for probe in range(1, probes)]
    return [[f.salt for f in fields], *later]
