"""HotCold: the most frequent values in a table of one method, the rest in one of another."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Moves, Noise, Row, Rows
from recsys.tables.frozen.classes import Split, placed
from recsys.tables.full import Full, regions
from recsys.tables.hash import Hash
from recsys.tables.method import Category, Dial, Method, Need

PARTS = ("hot", "cold")


@spec
@dataclasses.dataclass(frozen=True)
class HotCold(Method):
    """Any pair of methods: one for the hot head of each vocabulary, one for its cold tail.

    Values are in order of frequency, so that who is hot is a comparison and costs no bytes. Each
    part knows only its own values, numbered from 0. Either may be a storage, or another HotCold.
    Mixed precision by frequency is HotCold(Full(), INT4()); hot rows beside hashed ones, as Zhang
    et al., RecSys 2020, HotCold(Full(), Hash()). Needs vocabularies.
    """

    category: ClassVar[Category] = "dynamic"
    paper: ClassVar[str] = "Zhang et al., RecSys 2020"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    hot: Method = Full()
    cold: Method = Hash()
    values: int = 4096  # hot ones: from each vocabulary in proportion, at least one
    share: float = 0.3  # in (0, 1): of all values, the hot ones at the largest budget

    def __post_init__(self):
        if self.values < 1 or not 0 < self.share < 1:
            raise ValueError(
                "HotCold wants at least one hot value and a share in (0, 1), got "
                f"values={self.values}, share={self.share}: try 4096 and 0.3."
            )

    @property
    def keeps_floats(self) -> bool:
        return self.hot.keeps_floats and self.cold.keeps_floats

    @property
    def trains_within_budget(self) -> bool:
        return self.hot.trains_within_budget and self.cold.trains_within_budget

    def split(self, fields: tuple[Field, ...]) -> Split:
        """The fields of both parts; a vocabulary of one value leaves its cold row unread."""
        part = self.values / regions(fields).rows
        heads = [max(1, min(int(part * field.size), field.size - 1)) for field in fields]
        both = list(zip(fields, heads, strict=True))
        hot = tuple(_cut(field, 0, head) for field, head in both)
        return Split(hot, tuple(_cut(f, head, max(f.size, head + 1)) for f, head in both))

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "HotColdTable":
        classes = self.split(fields)
        hot = self.hot.build(dim, classes.frequent, rngs=rngs)
        cold = self.cold.build(dim, classes.rare, rngs=rngs)
        return HotColdTable(fields, classes, hot=hot, cold=cold)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        classes = self.split(fields)
        hot = self.hot.table_bytes(dim, classes.frequent)
        return hot + self.cold.table_bytes(dim, classes.rare)

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """More hot values along with more of the cold method, in proportion to its settings; of a
        cold method with one setting only, more hot values. The hot method stays as it is.
        """
        most = max(1, int(self.share * regions(fields).rows))
        cold = self.cold.dial(dim, fields)
        if cold.settings == 1:
            return Dial(most, lambda n: dataclasses.replace(self, values=n + 1))

        def make(number: int) -> "HotCold":
            values = max(1, most * (number + 1) // cold.settings)
            return dataclasses.replace(self, values=values, cold=cold.make(number))

        return Dial(cold.settings, make)


class HotColdTable(EmbeddingTable):
    """Two tables without rows of their own, and the rows of both under their names."""

    def __init__(
        self,
        fields: tuple[Field, ...],
        classes: Split,
        *,
        hot: EmbeddingTable,
        cold: EmbeddingTable,
    ):
        self.parts = nnx.Dict({"hot": hot, "cold": cold})
        self.classes = classes
        periods = {table.period for table in (hot, cold)} - {0}
        if len(periods) > 1:
            raise ValueError(
                "HotCold does the whole-table work of both parts at once, got periods of "
                f"{hot.period} and {cold.period} steps: give both the same."
            )
        rows = self._named(
            {
                p: {n: a[: t.heights[n]] for n, a in t.stored().items()}
                for p, t in self.parts.items()
            }
        )
        super().__init__(hot.dim, fields, rows)
        hot.rows, cold.rows = nnx.Dict({}), nnx.Dict({})
        self.period = max(hot.period, cold.period)
        self.passes = tuple(
            tuple(
                _name(part, array)
                for part, table in self.parts.items()
                if number < len(table.passes)
                for array in table.passes[number] or tuple(table.heights)
            )
            for number in range(max(len(table.passes) for table in (hot, cold)))
        )

    def keys(self, key: Keys) -> dict[str, Keys]:
        """The keys of each part, in which those of the other are padding."""
        last = key.of_place([field.size - 1 for field in self.fields], "uint32")
        key = dataclasses.replace(key, low=jnp.minimum(key.low, last))
        row, is_hot = placed(key, self.classes)
        keys = {}
        for part, own, is_its in zip(PARTS, self.classes, (is_hot, ~is_hot), strict=True):
            rank = row - key.of_place(regions(own).starts, "int32")
            low = jnp.where(is_its, rank, 0).astype(jnp.uint32)
            keys[part] = dataclasses.replace(key, low=low, valid=key.valid & is_its)
        return keys

    def rate(self, array: str) -> float:
        part, name = array.split(".", 1)
        return self.parts[part].rate(name)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        keys = self.keys(key)
        return self._named({p: table.address(keys[p]) for p, table in self.parts.items()})

    def load(self, rows: Rows) -> Rows:
        own = self._parted(rows)
        return self._named({p: self.parts[p].load(o) for p, o in own.items() if o})

    def store(self, rows: Rows, noise: Noise) -> Rows:
        own = self._parted(rows)
        return self._named(
            {
                p: self.parts[p].store(o, lambda n, p=p: noise(_name(p, n)))
                for p, o in own.items()
                if o
            }
        )

    def added(self, rows: Rows, more: Rows) -> Rows:
        own, extra = self._parted(rows), self._parted(more)
        return self._named({p: self.parts[p].added(o, extra[p]) for p, o in own.items() if o})

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        own, keys = self._parted(rows), self.keys(key)
        hot, cold = (self.parts[p].decode(own[p], keys[p], context) for p in PARTS)
        return jnp.where(keys["hot"].valid[..., None], hot, cold)

    def penalty(self, rows: Rows, key: Keys, context: Context) -> Float[Array, ""]:
        own, keys = self._parted(rows), self.keys(key)
        return sum((self.parts[p].penalty(own[p], keys[p], context) for p in PARTS), jnp.float32(0))

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        own, keys = self._parted(grads), self.keys(key)
        return self._named({p: self.parts[p].observe(keys[p], own[p], context) for p in PARTS})

    def maintain(self, context: Context) -> dict[str, Moves]:
        """The parts' work on their rows; arrays that they leave alone stay as they are."""
        stored, moves = self._parted(self.stored()), {}
        for p, table in self.parts.items():
            if not table.period:
                continue
            table.rows = nnx.Dict({n: Row(array) for n, array in stored[p].items()})
            moves[p] = table.maintain(context)
            for array, row in table.rows.items():
                if row[...] is not stored[p][array]:
                    self.rows[_name(p, array)].set_value(row[...])
            table.rows = nnx.Dict({})
        return self._named(moves)

    def advance(self, stage: str) -> EmbeddingTable:
        opened = self._opened()
        after = {p: table.advance(stage) for p, table in opened.items()}
        if all(after[p] is table for p, table in opened.items()):
            return self
        return HotColdTable(self.fields, self.classes, **after)

    def freeze(self) -> "HotColdTable":
        parts = {p: table.freeze() for p, table in self._opened().items()}
        exact = self._named({p: table.stored() for p, table in parts.items()})
        frozen = HotColdTable(self.fields, self.classes, **parts)
        frozen.rows = nnx.Dict({name: Row(array) for name, array in exact.items()})
        return frozen

    def _opened(self) -> dict[str, EmbeddingTable]:
        """Copies of the parts with their rows."""
        stored = self._parted(self.stored())
        opened = {p: nnx.clone(table) for p, table in self.parts.items()}
        for p, table in opened.items():
            table.rows = nnx.Dict({n: Row(array) for n, array in stored[p].items()})
        return opened

    def _named(self, own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """What each part has by array, by the arrays' names here."""
        return {_name(p, array): value for p, each in own.items() for array, value in each.items()}

    def _parted(self, rows: Rows) -> dict[str, Rows]:
        """Rows by part, under the names that it knows."""
        return {
            p: {n.removeprefix(f"{p}."): row for n, row in rows.items() if n.startswith(f"{p}.")}
            for p in PARTS
        }


def _name(part: str, array: str) -> str:
    return f"{part}.{array}"


def _cut(field: Field, start: int, stop: int) -> Field:
    """The field's values from `start` to `stop`, as a field of its own."""
    counts = None if field.counts is None else _runs(field.counts, start, stop)
    return dataclasses.replace(field, values=stop - start, counts=counts)


def _runs(
    counts: tuple[tuple[int, int], ...], start: int, stop: int
) -> tuple[tuple[int, int], ...]:
    """How often the values from `start` to `stop` were seen, of counts of all."""
    found, first = [], 0
    for times, values in counts:
        inside = min(first + values, stop) - max(first, start)
        found += [(times, inside)] if inside > 0 else []
        first += values
    return tuple(found)
