"""CAFE: the values with the most gradient get rows of their own while training; the rest share."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, OUT, Context, EmbeddingTable, Field, Keys, Moves, Rows
from recsys.tables.frozen.remapped import RemappedTable, remapped
from recsys.tables.hash import hashed
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import row_dial, uniform_rows
from recsys.tables.sketch import (
    Bar,
    Sketch,
    SketchArray,
    aged,
    fresh,
    importance,
    named,
    record,
)


@spec
@dataclasses.dataclass(frozen=True)
class CAFE(Method):
    """Shared hash rows, and hot rows for the values that a sketch of fixed size finds important.

    Zhang, Liu, Yuan et al., "CAFE: Towards Compact, Adaptive, and Fast Embedding for Large-scale
    Recommendation Models", SIGMOD 2024. A value's importance is the norm of its gradients, summed
    with decay. The hot slots are the rows themselves, so there are no pointers, and a strong
    newcomer takes the slot of the weakest hot value of its bucket instead of waiting for decay.
    """

    category: ClassVar[Category] = "dynamic"
    paper: ClassVar[str] = "Zhang et al., SIGMOD 2024"

    rows: int = 65_536  # shared and hot together
    share: float = 0.7  # of the rows that are hot, in whole buckets and at least one
    ways: int = 8  # hot rows in a bucket: so many places may a value's own row be in
    candidates: int = 24  # slots of a bucket for values that may become hot; only in training
    threshold: float = 16.0  # score from which a value may be hot; a mean place of a batch adds 1
    margin: float = 0.25  # by this share a newcomer must beat the hot value that it drives out
    decay: float = 0.95  # of all scores, every `every` steps
    every: int = 100  # steps
    initial: float = 0.05  # shared rows start uniform in [-initial, initial]

    def __post_init__(self):
        if min(self.ways, self.candidates, self.every) < 1:
            raise ValueError(
                f"CAFE needs at least one of each, got ways={self.ways}, "
                f"candidates={self.candidates}, every={self.every}: use 1 or more."
            )
        if not self.ways < self.rows <= MOST_ROWS:
            raise ValueError(
                f"CAFE needs a shared row and a bucket of ways={self.ways} hot ones, and at most "
                f"{MOST_ROWS:,} rows, got rows={self.rows:,}. For a budget in bytes use "
                "CAFE().within(budget_bytes, dim, fields)."
            )
        if not (0 < self.share < 1 and 0 < self.decay <= 1):
            raise ValueError(
                "CAFE wants a share of hot rows in (0, 1) and a decay in (0, 1], got "
                f"share={self.share}, decay={self.decay}."
            )
        if not (self.threshold > 0 and self.margin >= 0):
            raise ValueError(
                "CAFE wants a threshold above 0 and a margin of at least 0, got "
                f"threshold={self.threshold}, margin={self.margin}."
            )

    @property
    def buckets(self) -> int:
        """How many buckets of hot rows there are."""
        wanted = math.floor(self.share * self.rows / self.ways)
        return min(max(1, wanted), (self.rows - 1) // self.ways)

    @property
    def hot(self) -> int:
        """Rows with an owner."""
        return self.buckets * self.ways

    @property
    def shared(self) -> int:
        """Rows of all the other values."""
        return self.rows - self.hot

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "CAFETable":
        return CAFETable(self, dim, fields, rngs=rngs)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * self.rows + 4 * self.hot  # and a tag for each hot row

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """More rows, the same share of them hot."""
        settings = row_dial(self, fields).settings - self.ways
        least = self.ways + 1
        return Dial(max(1, settings), lambda n: dataclasses.replace(self, rows=least + n))


class CAFETable(EmbeddingTable):
    """The shared rows, then the hot rows, bucket after bucket, and the sketch that says whose."""

    def __init__(self, spec: CAFE, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs):
        shared = uniform_rows(spec.shared, dim, spec.initial, rngs)
        super().__init__(dim, fields, {"weight": jnp.pad(shared, ((0, spec.hot), (0, 0)))})
        self.spec = spec
        self.period = spec.every
        arrays = fresh(spec.buckets, spec.ways, spec.candidates)
        self.arrays = nnx.Dict({name: SketchArray(a) for name, a in arrays._asdict().items()})

    @property
    def sketch(self) -> Sketch:
        """What the table has noted so far."""
        return Sketch(**{name: array[...] for name, array in self.arrays.items()})

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        tags = self.arrays["hot_tags"][...]
        return {"weight": remapped(key, self.fields, self.spec.shared, tags)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        """A promoted value starts from the row that it shared until now, its slots with it."""
        names = named(key, self.fields, self.spec.buckets)
        weight = importance(grads["weight"], key.valid)
        shared = hashed(key, self.fields, self.spec.shared).reshape(-1)
        names, weight, shared = jax.tree.map(context.everywhere, (names, weight, shared))
        bar = Bar(self.spec.threshold, self.spec.margin)
        sketch, promotions = record(self.sketch, names, weight, bar)
        self._keep(sketch)
        is_one = promotions.slot != OUT
        source = shared.at[promotions.place].get(mode="fill", fill_value=OUT)
        target = jnp.where(is_one, self.spec.shared + promotions.slot, OUT)
        return {"weight": Moves(source, target)}

    def maintain(self, context: Context) -> dict[str, Moves]:
        """Ages the sketch. A value that is hot no more reads its shared row again; the row that
        was its own waits for the next owner.
        """
        floor = self.spec.threshold / (1 + self.spec.margin)
        self._keep(aged(self.sketch, decay=self.spec.decay, floor=floor))
        return {}

    def freeze(self) -> RemappedTable:
        rows = self.rows["weight"][...][: self.heights["weight"]]
        return RemappedTable(self.dim, self.fields, {"weight": rows}, self.sketch.hot_tags)

    def _keep(self, sketch: Sketch) -> None:
        for name, array in sketch._asdict().items():
            self.arrays[name][...] = array
