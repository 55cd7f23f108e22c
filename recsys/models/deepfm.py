"""DeepFM: a factorization machine and dense layers over the same vectors (Guo et al., IJCAI
2017).
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
from recsys.towers import MLP, CommonWidth, NumberVectors, sum_of_products


@spec
@dataclasses.dataclass(frozen=True)
class DeepFM:
    """logit = b + sum_i w_i + sum_{j<i} <v_i, v_j> + deep([e_1, e_2, ...]).

    The paper gives each value a weight w_i in a table one wide. Here w_i = <w_f, e_i>: a direction
    w_f of a feature's own, in which the vector e_i of the value is read. It costs no second row a
    value, and in a table that serves many features it is what tells them apart. v_i is e_i, or a
    linear map of it (`CommonWidth`). For weights free of v_i, choose `dim` below the layout's: the
    map then leaves out a direction, which is w_f's alone.
    """

    schema: Schema
    layout: Layout
    dim: int | None = None  # width at which vectors are multiplied; None is that of the widest
    hidden: tuple[int, ...] = (192,)  # widths of the dense layers
    loss: LogLoss = LogLoss()

    def __post_init__(self):
        refuse_widths(self, "hidden")
        refuse_dim(self)

    def build(self, *, rngs: nnx.Rngs) -> "DeepFMModel":
        return DeepFMModel(self, rngs=rngs)


class DeepFMModel(Ranker):
    """The sum of a linear term, the products of features' vectors, and dense layers.

    A number x is a feature of the weight w x and the vector v x.
    """

    def __init__(self, spec: DeepFM, *, rngs: nnx.Rngs):
        super().__init__(spec, rngs=rngs)
        self.linear = nnx.Linear(self.width, 1, rngs=rngs)
        self.stack = CommonWidth(self.embed, spec.dim, rngs=rngs)
        dim = self.stack.dim
        self.scaled = NumberVectors(self.numbers, dim, rngs=rngs) if self.numbers else None
        self.deep = MLP(self.width, spec.hidden, rngs=rngs)
        self.head = nnx.Linear(self.deep.width, 1, use_bias=False, rngs=rngs)  # linear has one

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        x = self.side_by_side(vectors, batch)
        first_order = self.linear(x)[:, 0]
        second_order = sum_of_products(self.stack(vectors, self._numbers(batch)))
        return first_order + second_order + self.head(self.deep(x))[:, 0]

    def _numbers(self, batch: Batch) -> Float[Array, "batch numbers dim"]:
        if self.scaled is None:
            return jnp.zeros((batch.label.shape[0], 0, self.stack.dim), jnp.float32)
        return self.scaled(jnp.asarray(batch.numbers))
