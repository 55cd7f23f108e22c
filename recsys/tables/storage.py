"""Storage: any method whose rows are floats, with those rows held in another form.

A storage is one file: a spec (`Storage`) that says what a row costs, and a table (`StoredAs`) that
says how a float row is stored and loaded. The inner table keeps its maths, its addresses and its
Params; its rows are taken away from it when it is wrapped, so that no float copy stays.
"""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Moves, Noise, Row, Rows
from recsys.tables.full import Full
from recsys.tables.method import Category, Dial, Method

FEW = 64  # settings that are cheap to try one by one


@dataclasses.dataclass(frozen=True)
class Storage(Method):
    """A method that stores the rows of another in its own form."""

    category: ClassVar[Category] = "quantization"

    of: Method = Full()  # whose rows are stored

    def __post_init__(self):
        if not self.of.has_rows or not self.of.keeps_floats:
            name, inner = type(self).__name__, type(self.of).__name__
            keeps = "saves codes" if self.of.has_rows else "has none"
            raise ValueError(
                f"{name} stores the float rows of another method, got {inner}, which {keeps}: "
                f"put a method of float rows inside, as {name}(of=Hash())."
            )

    @property
    def trains_within_budget(self) -> bool:
        return self.of.trains_within_budget

    def wrap(self, inner: EmbeddingTable) -> "StoredAs":
        """The inner table with its float rows stored in this form."""
        raise TypeError(f"{type(self).__name__} does not say which table it makes: define wrap.")

    def row_bytes(self, width: int) -> int:
        """Bytes of one stored row, everything kept beside it included."""
        raise TypeError(f"{type(self).__name__} does not say what a row costs: define row_bytes.")

    def holds(self, width: int) -> bool:
        """Whether rows of this width can be stored; `row_bytes` refuses the others."""
        return True

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "StoredAs":
        return self.wrap(self.of.build(dim, fields, rngs=rngs))

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        saved = [
            height * (4 * width - self.row_bytes(width))
            for height, width in row_shapes(self.of, dim, fields)
        ]
        return self.of.table_bytes(dim, fields) - sum(saved)

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """The inner method's settings; a few by what they cost here, many in the inner's order.

        Params keep their floats, so that a setting with more of them and narrower rows may cost
        more here than the one after it. Dials of many settings count rows of one width.
        """
        inner = self.of.dial(dim, fields)

        def make(number: int) -> "Storage":
            return dataclasses.replace(self, of=inner.make(number))

        if inner.settings > FEW:
            return Dial(inner.settings, make)
        specs = [make(number) for number in range(inner.settings)]
        held = [s for s in specs if all(s.holds(w) for _, w in row_shapes(s.of, dim, fields))]
        held = sorted(held or specs[:1], key=lambda s: s.table_bytes(dim, fields))
        return Dial(len(held), held.__getitem__)


class StoredAs(EmbeddingTable):
    """An inner table without rows, and its rows in another form.

    For every array `name` of the inner table it holds `name` and, for each suffix, `name` + suffix:
    arrays of width 1, such as scales, with the same addresses. Zero bytes are an empty row: what a
    move clears and what a new row is stored over, so `load` and `store` must cope with zeros beside
    it. Subclasses define both; `store` returns a row that `load` gave to its old bytes.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: Storage, inner: EmbeddingTable):
        self.spec = spec
        self.inner = inner
        heights = inner.heights
        for row in inner.rows.values():
            spec.row_bytes(row[...].shape[1])  # refuses a width that it cannot hold

        def first(rows: Rows) -> Rows:
            rows = {name: array[: heights[name]] for name, array in rows.items()}
            beside = {n + s: jnp.zeros((heights[n], 1)) for n in rows for s in self.suffixes}
            return self.store({**rows, **beside}, _nearest(rows))

        super().__init__(inner.dim, inner.fields, jax.jit(first)(inner.stored()))
        inner.rows = nnx.Dict({})
        self.passes = tuple(arrays or tuple(heights) for arrays in inner.passes)
        self.period = inner.period

    def parts(self, name: str) -> tuple[str, ...]:
        """The arrays that hold the inner table's array `name`."""
        return (name, *(name + suffix for suffix in self.suffixes))

    def held(self, rows: Rows) -> list[str]:
        """Which of the inner table's arrays are among the rows."""
        return [name for name in self.inner.heights if name in rows]

    def inner_rows(self, rows: Rows, key: Keys, context: Context) -> Rows:
        """Loaded rows as the inner table knows them; differentiable."""
        return {name: rows[name] for name in self.held(rows)}

    def rate(self, array: str) -> float:
        return self.inner.rate(array)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        inner = self.inner.address(key)
        return {part: rows for name, rows in inner.items() for part in self.parts(name)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return self.inner.decode(self.inner_rows(rows, key, context), key, context)

    def added(self, rows: Rows, more: Rows) -> Rows:
        loaded, others = self.load(rows), self.load(more)
        own, extra = ({n: floats[n] for n in self.held(rows)} for floats in (loaded, others))
        return self.store({**loaded, **self.inner.added(own, extra)}, _nearest(loaded))

    def penalty(self, rows: Rows, key: Keys, context: Context) -> Float[Array, ""]:
        return self.inner.penalty(self.inner_rows(rows, key, context), key, context)

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        own = {name: grads[name] for name in self.held(grads)}
        return self._moved(self.inner.observe(key, own, context))

    def maintain(self, context: Context) -> dict[str, Moves]:
        """The inner table's work on its rows as floats; what it leaves alone keeps its bytes."""
        loaded = self.load(self.stored())
        self.inner.rows = nnx.Dict({name: Row(loaded[name]) for name in self.inner.heights})
        moves = self.inner.maintain(context)
        changed = {
            name: row[...] for name, row in self.inner.rows.items() if row[...] is not loaded[name]
        }
        self.inner.rows = nnx.Dict({})
        if changed:
            self._store_changed(loaded, changed)
        return self._moved(moves)

    def advance(self, stage: str) -> EmbeddingTable:
        inner = self._opened()
        successor = inner.advance(stage)
        return self if successor is inner else self.spec.wrap(successor)

    def freeze(self) -> "StoredAs":
        frozen = nnx.clone(self)
        frozen.rows = super().freeze().rows
        frozen.inner = self._opened().freeze()
        assert frozen.inner.heights == self.inner.heights, "the served form has other rows"
        frozen.inner.rows = nnx.Dict({})
        return frozen

    def _opened(self) -> EmbeddingTable:
        """A copy of the inner table with its rows as floats."""
        inner, loaded = nnx.clone(self.inner), self.load(self.stored())
        inner.rows = nnx.Dict({name: Row(loaded[name]) for name in inner.heights})
        return inner

    def _store_changed(self, loaded: Rows, changed: Rows) -> None:
        stored = self.store({**loaded, **changed}, _nearest(loaded))
        for name, rows in changed.items():
            is_new = jnp.any(rows != loaded[name], axis=-1, keepdims=True)
            for part in self.parts(name):
                row = self.rows[part]
                row.set_value(jnp.where(is_new, stored[part], row[...]))

    def _moved(self, moves: dict[str, Moves]) -> dict[str, Moves]:
        return {part: moved for name, moved in moves.items() for part in self.parts(name)}


@functools.lru_cache(maxsize=4096)  # a budget is met by asking again and again
def row_shapes(method: Method, dim: int, fields: tuple[Field, ...]) -> tuple[tuple[int, ...], ...]:
    """Height and width of every array of rows that a method would build, without building it."""

    def rows() -> Rows:
        table = method.build(dim, fields, rngs=nnx.Rngs(0))
        return {name: array[: table.heights[name]] for name, array in table.stored().items()}

    return tuple(array.shape for array in jax.eval_shape(rows).values())


def _nearest(rows: Rows) -> Noise:
    """Noise that rounds to the nearest, where there is nothing to be right on average about."""
    return lambda name: jnp.full_like(rows[name], 0.5)
