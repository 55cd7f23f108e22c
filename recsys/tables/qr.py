"""QR: two small arrays, read by remainder and by quotient, give every value a vector of its own."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, Context, EmbeddingTable, Field, Keys, Rows, masked
from recsys.tables.full import ranked, regions
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.parts import uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class QR(Method):
    """The row of value mod m composed with the row of value div m, entry by entry.

    Shi et al., "Compositional Embeddings Using Complementary Partitions", KDD 2020. Of n values, m
    rows by remainder and ceil(n/m) by quotient remain, and no two values read the same pair. The
    value is its frequency rank, so that the m most frequent of a feature each have a remainder to
    themselves as far as their feature goes. Fields of one table are numbered through. Needs
    vocabularies.

    Where they start matters. If rows of both kinds started as plain rows do, a product would start
    with the spread initial^2 / 3 in place of initial / sqrt(3), and the gradient of either row, the
    other row, would be as small. Here rows by quotient start as random signs: a product then starts
    with exactly the spread of a plain row, each row by remainder gets the whole gradient, and
    values that share a remainder start apart. The addends of a sum each start with half the
    variance.
    """

    category: ClassVar[Category] = "composition"
    paper: ClassVar[str] = "Shi et al., KDD 2020"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    rows: int = 65_536  # by remainder, at most one a value; beside them, those by quotient
    by: str = "product"  # or "sum"
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(
                f"QR needs between one row and {MOST_ROWS:,} by remainder, got rows={self.rows:,}. "
                "For a budget in bytes use QR().within(budget_bytes, dim, fields)."
            )
        if self.by not in ("product", "sum"):
            raise ValueError(f"QR composes by product or by sum, got {self.by!r}: use one of them.")

    def split(self, fields: tuple[Field, ...]) -> tuple[int, int]:
        """How many rows there are by remainder and by quotient."""
        values = regions(fields).rows
        remainders = min(self.rows, values)
        return remainders, -(-values // remainders)

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "QRTable":
        remainders, quotients = self.split(fields)
        bound = self.initial / (math.sqrt(2) if self.by == "sum" else 1.0)
        rows = uniform_rows(remainders + quotients, dim, bound, rngs)
        if self.by == "product":
            rows = rows.at[remainders:].set(jnp.where(rows[remainders:] < 0, -1.0, 1.0))
        return QRTable(dim, fields, {"weight": rows}, remainders=remainders, by=self.by)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * sum(self.split(fields))

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """From the root of the number of values, where both kinds are as many, to one a value."""
        values = regions(fields).rows
        least = math.isqrt(values - 1) + 1
        return Dial(values - least + 1, lambda n: dataclasses.replace(self, rows=least + n))


class QRTable(EmbeddingTable):
    """The rows by remainder, then the rows by quotient."""

    def __init__(
        self, dim: int, fields: tuple[Field, ...], rows: Rows, *, remainders: int, by: str
    ):
        super().__init__(dim, fields, rows)
        self.remainders = remainders
        self.by = by

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """All the places' remainders, then all their quotients."""
        value = ranked(key, self.fields)
        both = (value % self.remainders, self.remainders + value // self.remainders)
        return {"weight": jnp.concatenate([masked(rows, key) for rows in both], axis=1)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        remainder, quotient = jnp.split(rows["weight"], 2, axis=1)
        return remainder * quotient if self.by == "product" else remainder + quotient
