"""Adaptive: shared rows, and rows of their own for the values that a sketch finds while training.

What CAFE and AdaptEmb have in common. They differ in what a read is worth to the sketch, and in
whether that fades.
"""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.tables.base import MOST_ROWS, OUT, Context, EmbeddingTable, Field, Keys, Moves, Rows
from recsys.tables.frozen.remapped import Medium, RemappedTable, hashed_again, remapped, summed
from recsys.tables.hash import hashed
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import row_dial, uniform_rows
from recsys.tables.sketch import EMPTY, Bar, Sketch, SketchArray, fresh, named, record


@dataclasses.dataclass(frozen=True)
class Adaptive(Method):
    """A fixed number of rows, of which values that prove themselves get one each.

    The slots of the sketch are the rows themselves, so there are no pointers, and a strong newcomer
    takes the slot of the weakest owner of its bucket. A value that gets a row starts from what it
    read until then, and the optimizer's slots of its shared row move along.
    """

    category: ClassVar[Category] = "dynamic"

    rows: int = 65_536  # shared and hot together
    share: float = 0.7  # of the rows that are hot, in whole buckets and at least one
    ways: int = 8  # hot rows in a bucket: so many places may a value's own row be in
    candidates: int = 8  # slots of a bucket for values that may get a row
    threshold: float = 16.0  # score from which a value may have a row
    margin: float = 0.25  # by this share a newcomer must beat the owner that it drives out
    initial: float = 0.05  # shared rows start uniform in [-initial, initial]

    def __post_init__(self):
        name = type(self).__name__
        if min(self.ways, self.candidates) < 1:
            raise ValueError(
                f"{name} needs at least one of each, got ways={self.ways} and "
                f"candidates={self.candidates}: use 1 or more."
            )
        if not self.least <= self.rows <= MOST_ROWS:
            raise ValueError(
                f"{name} needs a row to share beside its ways={self.ways} hot ones, and at most "
                f"{MOST_ROWS:,} rows, got rows={self.rows:,}. For a budget in bytes use "
                f"{name}().within(budget_bytes, dim, fields)."
            )
        if not (0 < self.share < 1 and self.threshold > 0 and self.margin >= 0):
            raise ValueError(
                f"{name} wants a share of hot rows in (0, 1), a threshold above 0 and a margin "
                f"of at least 0, got share={self.share}, threshold={self.threshold}, "
                f"margin={self.margin}."
            )

    @property
    def least(self) -> int:
        """The fewest rows: a bucket of hot ones, and one of each kind that is shared."""
        return self.ways + 1

    @property
    def buckets(self) -> int:
        """How many buckets of hot rows there are."""
        wanted = math.floor(self.share * self.rows / self.ways)
        return min(max(1, wanted), (self.rows - self.least + self.ways) // self.ways)

    @property
    def hot(self) -> int:
        """Rows with an owner."""
        return self.buckets * self.ways

    @property
    def second(self) -> int:
        """Rows that values of the middle class read as well."""
        return 0

    @property
    def shared(self) -> int:
        """Rows of all the values that own none."""
        return self.rows - self.hot - self.second

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * self.rows + 4 * self.hot  # and a tag for each hot row

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """More rows, the same share of them hot."""
        settings = row_dial(self, fields).settings - self.least + 1
        return Dial(max(1, settings), lambda n: dataclasses.replace(self, rows=self.least + n))


class AdaptiveTable(EmbeddingTable):
    """The shared rows, then the hot ones, bucket after bucket, then the second shared ones; and the
    sketch that says whose the hot ones are.
    """

    def __init__(self, spec: Adaptive, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs):
        shared = uniform_rows(spec.shared, dim, spec.initial, rngs)
        # Second rows start as zeros: a value that comes to read one starts where it was.
        rows = jnp.pad(shared, ((0, spec.rows - spec.shared), (0, 0)))
        super().__init__(dim, fields, {"weight": rows})
        self.spec = spec
        arrays = fresh(spec.buckets, spec.ways, spec.candidates)
        self.arrays = nnx.Dict({name: SketchArray(a) for name, a in arrays._asdict().items()})

    @property
    def sketch(self) -> Sketch:
        """What the table has noted so far."""
        return Sketch(**{name: array[...] for name, array in self.arrays.items()})

    @property
    def bar(self) -> Bar:
        """What it takes to get a row now."""
        return Bar(self.spec.threshold, self.spec.margin)

    def weigh(self, key: Keys, grad: Float[Array, "batch places dim"]) -> Float[Array, " reads"]:
        """What each read is worth to the sketch; padding nothing."""
        raise TypeError(f"{type(self).__name__} does not say what a read is worth: define weigh.")

    def medium(self) -> Medium | None:
        """The middle class now; None: there is none."""
        return None

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        tags = self.arrays["hot_tags"][...]
        return {"weight": remapped(key, self.fields, tags, self.spec.shared, self.medium())}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return summed(rows["weight"], key)

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        """A promoted value starts from its shared row, with its slots; if there is a middle class,
        which it has just come through, from the sum of both shared rows.
        """
        spec = self.spec
        names = named(key, self.fields, spec.buckets)
        weight = self.weigh(key, grads["weight"][:, : key.places])
        read = [hashed(key, self.fields, spec.shared).reshape(-1)]
        if spec.second:
            second = hashed_again(key, self.fields, spec.second).reshape(-1)
            read.append(spec.shared + spec.hot + second)
        names, weight, read = jax.tree.map(context.everywhere, (names, weight, read))
        sketch, promotions = record(self.sketch, names, weight, self.bar)
        self._keep(sketch)
        is_one = promotions.slot != OUT
        source, *plus = (r.at[promotions.place].get(mode="fill", fill_value=OUT) for r in read)
        target = jnp.where(is_one, spec.shared + promotions.slot, OUT)
        return {"weight": Moves(source, target, *plus)}

    def freeze(self) -> RemappedTable:
        rows = self.rows["weight"][...][: self.heights["weight"]]
        medium, tags = self.medium(), self.arrays["hot_tags"][...]
        if medium is not None:
            medium = Medium(medium.rows, jnp.where(medium.holds, medium.tags, jnp.uint32(EMPTY)))
        return RemappedTable(self.dim, self.fields, {"weight": rows}, tags, medium)

    def _keep(self, sketch: Sketch) -> None:
        for name, array in sketch._asdict().items():
            self.arrays[name].set_value(array)
