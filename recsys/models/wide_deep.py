"""Wide & Deep: a linear model, crosses in it, beside dense layers (Cheng et al., DLRS 2016)."""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses.log_loss import LogLoss
from recsys.models.ranker import Ranker, refuse_widths
from recsys.spec import spec
from recsys.towers import MLP


@spec
@dataclasses.dataclass(frozen=True)
class WideDeep:
    """logit = b + wide . [all features, crosses too, numbers] + deep([the others, numbers]).

    A weight of the wide part comes from a table, as everything that belongs to a value: it is what
    a linear map of the feature's own reads in the value's vector. A feature that the deep part does
    not read needs no more than one entry a value, so give crosses a table one wide:

        Grouped((
            Group(("user x genre",), Unified(Hash(rows=2**18), dim=1)),
            Group(("user", "genre"), Unified(Hash(rows=2**16), dim=16)),
        ))

    One recipe trains both parts; the paper takes FTRL with L1 for the wide one.
    """

    schema: Schema
    layout: Layout
    wide_only: tuple[str, ...] | None = (
        None  # features that the deep part leaves out; None: crosses
    )
    hidden: tuple[int, ...] = (192,)  # widths of the dense layers
    loss: LogLoss = LogLoss()

    def __post_init__(self):
        refuse_widths(self, "hidden")
        known = [feature.name for feature in self.schema.categorical]
        unknown = [name for name in self.wide_only or () if name not in known]
        if unknown:
            raise ValueError(
                f"WideDeep wants wide_only to name features that read a table, got {unknown}: "
                f"there are {', '.join(known)}."
            )
        if not self.deep and not self.schema.numeric:
            raise ValueError(
                "WideDeep wants something for its deep part to read, got "
                f"wide_only={self.wide_only} of the features {', '.join(known)}: leave one out."
            )

    @property
    def deep(self) -> tuple[str, ...]:
        """The features that the deep part reads; where there are only crosses, it reads those."""
        known = tuple(feature.name for feature in self.schema.categorical)
        if self.wide_only is not None:
            return tuple(name for name in known if name not in self.wide_only)
        plain = tuple(f.name for f in self.schema.categorical if not f.cross)
        return plain or known

    def build(self, *, rngs: nnx.Rngs) -> "WideDeepModel":
        return WideDeepModel(self, rngs=rngs)


class WideDeepModel(Ranker):
    """The sum of both parts, trained together."""

    def __init__(self, spec: WideDeep, *, rngs: nnx.Rngs):
        super().__init__(spec, rngs=rngs)
        self.wide = nnx.Linear(self.width, 1, rngs=rngs)
        width = sum(self.embed.widths[name] for name in spec.deep) + self.numbers
        self.deep = MLP(width, spec.hidden, rngs=rngs)
        self.head = nnx.Linear(self.deep.width, 1, use_bias=False, rngs=rngs)  # wide has one

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        wide = self.wide(self.side_by_side(vectors, batch))[:, 0]
        parts = [vectors[name] for name in self.spec.deep]
        deep = self.deep(jnp.concatenate([*parts, batch.numbers], axis=-1))
        return wide + self.head(deep)[:, 0]
