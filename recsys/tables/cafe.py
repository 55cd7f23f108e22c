"""CAFE: the values with the most gradient get rows of their own while training; the rest share."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import OUT, Context, EmbeddingTable, Field, Keys, Moves, Rows, masked
from recsys.tables.frozen.remapped import RemappedTable, remapped
from recsys.tables.hash import hashed
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import uniform_rows
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

    rows: int = 20_480  # shared by the values that are not hot
    hot: int = 45_056  # rows with one owner; a multiple of `ways`
    ways: int = 8  # hot rows that a value may stand in
    candidates: int = 24  # slots beside them for values that may become hot; only in training
    threshold: float = 16.0  # score from which a value may be hot; 1 is a mean place of a batch
    margin: float = 0.25  # share by which a newcomer must beat a hot value, and by which a hot
    # value may fall below the threshold
    decay: float = 0.95  # of all scores, every `every` steps
    every: int = 100  # steps
    initial: float = 0.05  # shared rows start uniform in [-initial, initial]

    def __post_init__(self):
        if min(self.rows, self.hot, self.ways, self.candidates, self.every) < 1:
            raise ValueError(
                f"CAFE needs at least one of each, got rows={self.rows}, hot={self.hot}, "
                f"ways={self.ways}, candidates={self.candidates}, every={self.every}."
            )
        if self.hot % self.ways:
            raise ValueError(
                f"CAFE deals its hot rows to buckets of ways={self.ways}, got hot={self.hot}: "
                f"use {self.hot // self.ways * self.ways or self.ways}."
            )
        if self.rows + self.hot >= OUT:
            raise ValueError(
                f"CAFE's rows and hot together must be below {OUT:,}, got "
                f"{self.rows + self.hot:,}: deal the features over several tables."
            )
        if not (0 < self.decay <= 1 and self.threshold > 0 and self.margin >= 0):
            raise ValueError(
                "CAFE wants 0 < decay <= 1, threshold > 0 and margin >= 0, got "
                f"decay={self.decay}, threshold={self.threshold}, margin={self.margin}."
            )

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "CAFETable":
        return CAFETable(self, dim, fields, rngs=rngs)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * dim * (self.rows + self.hot) + 4 * self.hot

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """As many hot rows in all rows as here, from one bucket up to a row a value."""
        share = self.hot / (self.rows + self.hot)
        least = max(math.ceil(self.ways / share), self.ways + 1)
        known = [field.values for field in fields]
        most = OUT - 1 if None in known else min(OUT - 1, sum(filter(None, known)))

        def make(number: int) -> "CAFE":
            total = least + number
            buckets = max(1, math.floor(share * total / self.ways))
            hot = self.ways * min(buckets, (total - 1) // self.ways)
            return dataclasses.replace(self, rows=total - hot, hot=hot)

        return Dial(settings=max(1, most - least + 1), make=make)


class CAFETable(EmbeddingTable):
    """The shared rows, then the hot rows, bucket after bucket, and the sketch that says whose."""

    def __init__(self, spec: CAFE, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs):
        shared = uniform_rows(spec.rows, dim, spec.initial, rngs)
        super().__init__(dim, fields, {"weight": jnp.pad(shared, ((0, spec.hot), (0, 0)))})
        self.spec = spec
        self.period = spec.every
        arrays = fresh(spec.hot // spec.ways, spec.ways, spec.candidates)
        self.arrays = nnx.Dict({name: SketchArray(a) for name, a in arrays._asdict().items()})

    @property
    def sketch(self) -> Sketch:
        """What the table has noted so far."""
        return Sketch(**{name: array[...] for name, array in self.arrays.items()})

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        tags = self.arrays["hot_tags"][...]
        return {"weight": remapped(key, self.fields, self.spec.rows, tags)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        return rows["weight"]

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        """A promoted value starts from the row that it shared until now, its slots with it."""
        names = named(key, self.fields, len(self.arrays["hot_tags"][...]))
        weight = importance(grads["weight"], key.valid)
        bar = Bar(self.spec.threshold, self.spec.margin)
        sketch, promotions = record(self.sketch, names, weight, bar)
        self._keep(sketch)
        shared = masked(hashed(key, self.fields, self.spec.rows), key).reshape(-1)
        is_move = promotions.slot != OUT
        return {
            "weight": Moves(
                source=shared.at[promotions.place].get(mode="fill", fill_value=OUT),
                target=jnp.where(is_move, self.spec.rows + promotions.slot, OUT),
            )
        }

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
