"""Frequency: values seen often have rows of their own, the others sums of shared rows."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32

from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, OUT, Context, EmbeddingTable, Field, Keys, Rows
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.multihash import probed
from recsys.tables.parts import row_dial, uniform_rows


@spec
@dataclasses.dataclass(frozen=True)
class Frequency(Method):
    """One row for each of the most frequent values of all fields; the rest share by double hashing.

    Zhang et al., "Model Size Reduction Using Frequency Based Double Hashing for Recommender
    Systems", RecSys 2020. Values are known by their frequency rank, so that who has a row of its
    own is a comparison and costs no bytes. Features compete for rows by how often their values were
    seen; of values seen as often, each feature gets its part. What was seen fewer than `least`
    times, and what no vocabulary knows, always shares. Needs vocabularies with counts.
    """

    category: ClassVar[Category] = "hashing"
    paper: ClassVar[str] = "Zhang et al., RecSys 2020"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary", "counts")

    rows: int = 65_536  # own and shared together
    share: float = 0.2  # of the rows that are shared, in (0, 1]; rows that nobody is to own as well
    least: int = 2  # times that a value was seen, if it is to have a row of its own; at least 1
    probes: int = 2  # shared rows that are summed; 1 is plain hashing
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if not 0 < self.rows <= MOST_ROWS:
            raise ValueError(
                f"Frequency needs between one row and {MOST_ROWS:,}, got rows={self.rows:,}. "
                "For a budget in bytes use Frequency().within(budget_bytes, dim, fields)."
            )
        if not 0 < self.share <= 1 or self.least < 1 or self.probes < 1:
            raise ValueError(
                "Frequency wants a share in (0, 1] and least and probes of at least 1, got "
                f"share={self.share}, least={self.least}, probes={self.probes}."
            )

    def owners(self, fields: tuple[Field, ...]) -> tuple[int, ...]:
        """How many values of each field have rows of their own: its most frequent."""
        room = self.rows - math.ceil(self.share * self.rows)
        runs = {field.salt: _frequent(field, self.least) for field in fields}
        owned = dict.fromkeys(runs, 0)
        levels = {count for own in runs.values() for count in own}
        for count in sorted(levels, reverse=True):
            asking = {salt: own[count] for salt, own in runs.items() if count in own}
            wanted = sum(asking.values())
            for salt, values in asking.items():  # in proportion, where there is not room for all
                owned[salt] += values if wanted <= room else values * room // wanted
            room = max(0, room - wanted)
        return tuple(owned[field.salt] for field in fields)

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "FrequencyTable":
        owners = self.owners(fields)
        own = sum({f.salt: n for f, n in zip(fields, owners, strict=True)}.values())
        bounds = (self.initial, self.initial / math.sqrt(self.probes))
        kinds = zip((own, self.rows - own), bounds, strict=True)
        parts = [uniform_rows(count, dim, bound, rngs) for count, bound in kinds if count]
        rows = jnp.concatenate(parts)
        return FrequencyTable(dim, fields, {"weight": rows}, owners=owners, probes=self.probes)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        self.owners(fields)  # refuses fields without counts
        return 4 * dim * self.rows

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        return row_dial(self, fields)


class FrequencyTable(EmbeddingTable):
    """The rows that have owners, field by field, then the shared ones."""

    def __init__(
        self,
        dim: int,
        fields: tuple[Field, ...],
        rows: Rows,
        *,
        owners: tuple[int, ...],
        probes: int,
    ):
        super().__init__(dim, fields, rows)
        self.owners = owners
        self.probes = probes
        spaces = {field.salt: own for field, own in zip(fields, owners, strict=True)}
        starts, self.owned = {}, 0
        for space, own in spaces.items():
            starts[space], self.owned = self.owned, self.owned + own
        self.starts = tuple(starts[field.salt] for field in fields)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """The probes of a place side by side; where it has a row of its own, that, and none."""
        shared = self.heights["weight"] - self.owned
        rows = self.owned + probed(key, self.fields, shared, self.probes)
        own = key.low.astype(jnp.int32) + key.of_place(self.starts, "int32")
        rows = jnp.where(self._is_own(key), own[:, :, None], rows)
        return {"weight": jnp.where(self._is_read(key), rows, OUT).reshape(rows.shape[0], -1)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return jnp.sum(rows["weight"].reshape(*key.low.shape, self.probes, self.dim), axis=2)

    def _is_own(self, key: Keys) -> Bool[Array, "batch places 1"]:
        """Whether a value has a row of its own."""
        return (key.low < key.of_place(self.owners, "uint32"))[:, :, None]

    def _is_read(self, key: Keys) -> Bool[Array, "batch places probes"]:
        """Which probes read a row: of padding none, and of a value with its own row the first."""
        is_first = np.arange(self.probes)[None, None] == 0
        return key.valid[:, :, None] & (is_first | ~self._is_own(key))


def _frequent(field: Field, least: int) -> dict[int, int]:
    """How many values of a field were seen how often, if often enough."""
    if field.counts is None:
        raise ValueError(
            f"Frequency needs to know how often values were seen, and feature {field.name!r} does "
            "not say: learn its vocabulary, which counts them, or choose a method that hashes."
        )
    return {count: values for count, values in field.counts if count >= least}
