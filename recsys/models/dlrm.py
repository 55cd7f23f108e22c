"""DLRM: dot products of every two features, and dense layers over them (Naumov et al., "Deep
Learning Recommendation Model for Personalization and Recommendation Systems", 2019).
"""

import dataclasses

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses.log_loss import LogLoss
from recsys.models.ranker import Ranker, refuse_dim, refuse_widths
from recsys.spec import spec
from recsys.towers import MLP, CommonWidth, pairwise_dots


@spec
@dataclasses.dataclass(frozen=True)
class DLRM:
    """logit = top([z, (<v_i, v_j>)_{j<i}]) with v_0 = z = bottom(numbers), v_1 ... the features."""

    schema: Schema
    layout: Layout
    dim: int | None = None  # width at which vectors are multiplied; None is that of the widest
    bottom: tuple[int, ...] = (64,)  # widths of the dense layers over numbers, before `dim`
    top: tuple[int, ...] = (192,)  # widths of the dense layers over the products
    loss: LogLoss = LogLoss()

    def __post_init__(self):
        refuse_widths(self, "bottom", "top")
        refuse_dim(self)

    def build(self, *, rngs: nnx.Rngs) -> "DLRMModel":
        return DLRMModel(self, rngs=rngs)


class DLRMModel(Ranker):
    """The numbers are one more vector.

    Where there are none, a learned constant takes their place: its products are then a weight for
    each value of each feature, which dot products alone cannot give.
    """

    def __init__(self, spec: DLRM, *, rngs: nnx.Rngs):
        super().__init__(spec, rngs=rngs)
        self.stack = CommonWidth(self.embed, spec.dim, rngs=rngs)
        dim, count = self.stack.dim, 1 + self.stack.features
        self.constant = None if self.numbers else nnx.Param(jnp.zeros(dim, jnp.float32))
        self.bottom = MLP(self.numbers, (*spec.bottom, dim), rngs=rngs) if self.numbers else None
        self.top = MLP(dim + count * (count - 1) // 2, spec.top, rngs=rngs)
        self.head = nnx.Linear(self.top.width, 1, rngs=rngs)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        dense = self._dense(batch)
        dots = pairwise_dots(self.stack(vectors, dense[:, None]))
        return self.head(self.top(jnp.concatenate([dense, dots], axis=-1)))[:, 0]

    def _dense(self, batch: Batch) -> Float[Array, "batch dim"]:
        if self.bottom is not None:
            return self.bottom(jnp.asarray(batch.numbers))
        assert self.constant is not None
        return jnp.broadcast_to(self.constant[...], (batch.label.shape[0], self.stack.dim))
