"""CAFE: the values with the most gradient get rows of their own while training; the rest share."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.spec import spec
from recsys.tables.adaptive import Adaptive, AdaptiveTable
from recsys.tables.base import Context, Field, Keys, Moves
from recsys.tables.frozen.remapped import Medium
from recsys.tables.sketch import Bar, SketchArray, aged, contested, importance

LEAST = 1.0  # no threshold falls below what one mean read of a batch is worth


@spec
@dataclasses.dataclass(frozen=True)
class CAFE(Adaptive):
    """Shared hash rows, and hot rows for the values that a sketch of fixed size finds important.

    Zhang, Liu, Yuan et al., "CAFE: Towards Compact, Adaptive, and Fast Embedding for Large-scale
    Recommendation Models", SIGMOD 2024. A value's importance is the norm of its gradients, summed
    with decay. The threshold to be hot follows what the hot rows are worth: where it starts is set,
    and every `every` steps it becomes the score that a value needs to be among the best of its
    bucket, on average. With `middle`, the candidates from a share of the threshold on are a class
    of their own, which reads the sum of two shared rows ("multi-level hash embedding"); their tags
    are then served too.
    """

    paper: ClassVar[str] = "Zhang et al., SIGMOD 2024"

    middle: float = 0.0  # of the shared rows, those that only the middle class reads; 0: no class
    medium: float = 0.25  # of the threshold: below this share a hot value falls, above it is medium
    decay: float = 0.95  # of all scores, every `every` steps
    every: int = 100  # steps

    def __post_init__(self):
        super().__post_init__()
        if self.every < 1:
            raise ValueError(f"CAFE ages its scores every 1 or more steps, got every={self.every}.")
        if not (0 < self.decay <= 1 and 0 < self.medium <= 1 and 0 <= self.middle < 1):
            raise ValueError(
                "CAFE wants decay and medium in (0, 1] and middle in [0, 1), got "
                f"decay={self.decay}, medium={self.medium}, middle={self.middle}."
            )

    @property
    def least(self) -> int:
        return self.ways + 1 + (self.middle > 0)

    @property
    def second(self) -> int:
        shared = self.rows - self.hot
        return min(shared - 1, max(1, math.floor(self.middle * shared))) if self.middle else 0

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "CAFETable":
        return CAFETable(self, dim, fields, rngs=rngs)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        tags = self.buckets * self.candidates if self.middle else 0
        return super().table_bytes(dim, fields) + 4 * tags


class CAFETable(AdaptiveTable):
    """Rows, the sketch of gradients that says whose the hot ones are, and the latest threshold."""

    spec: CAFE

    def __init__(self, spec: CAFE, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs):
        super().__init__(spec, dim, fields, rngs=rngs)
        self.period = spec.every
        self.threshold = SketchArray(jnp.float32(spec.threshold))

    @property
    def bar(self) -> Bar:
        return Bar(self.threshold[...], self.spec.margin)

    def weigh(self, key: Keys, grad: Float[Array, "batch places dim"]) -> Float[Array, " reads"]:
        return importance(grad, key.valid)

    def medium(self) -> Medium | None:
        if not self.spec.middle:
            return None
        tags, scores = self.arrays["tags"][...], self.arrays["scores"][...]
        return Medium(self.spec.second, tags, scores, self.spec.medium * self.threshold[...])

    def maintain(self, context: Context) -> dict[str, Moves]:
        """Ages the sketch and sets the threshold anew. A value that is hot no more reads its shared
        rows again; the row that was its own waits for the next owner.
        """
        floor = self.spec.medium * self.threshold[...]
        sketch = aged(self.sketch, decay=self.spec.decay, floor=floor)
        self._keep(sketch)
        self.threshold.set_value(jnp.maximum(LEAST, contested(sketch)))
        return {}
