"""Our side of the step benchmark: the library as a user has it, nothing written for the occasion.

One multiplexed table that every feature hashes into: unlike the peers, which are handed row
numbers, the step also hashes its keys. The ids are the same, so the rows are as many and about as
often repeated.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from experiments.benchmarks.batches import Batch as Draws
from recsys.embedding import Embedding, Unified, Vectors
from recsys.features import Batch, Feature, Schema
from recsys.losses import LogLoss
from recsys.optim import DenseSGD, RowTraining, RowwiseAdagrad
from recsys.tables import Hash
from recsys.tables.base import Context
from recsys.towers import MLP
from recsys.training import Learner, Recipe, Report, State


class Network(nnx.Module):
    """The benchmark's model: vectors side by side, dense layers, one logit."""

    def __init__(self, schema: Schema, layout: Unified, hidden: tuple[int, ...], *, rngs: nnx.Rngs):
        self.embed = Embedding(schema, layout, rngs=rngs)
        self.deep = MLP(self.embed.width, hidden, rngs=rngs)
        self.head = nnx.Linear(self.deep.width, 1, rngs=rngs)

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        logit = self.head(self.deep(vectors.concatenated()))[:, 0]
        return LogLoss()(logit, batch.label, batch.weight)


@jax.custom_vjp
def handed(vectors: Float[Array, "batch width"], grad: Float[Array, "batch width"]):
    """A loss of zero whose gradient on the vectors is a given array."""
    return jnp.float32(0)


def _forward(vectors: Float[Array, "batch width"], grad: Float[Array, "batch width"]):
    # The vectors must come into being, as PyTorch's do, though nothing is computed of them.
    return 0 * vectors[0, 0], grad


def _backward(grad: Float[Array, "batch width"], cotangent: Float[Array, ""]):
    return grad, jnp.zeros_like(grad)


handed.defvjp(_forward, _backward)


class Given(nnx.Module):
    """No network: the gradient on the vectors is given, to time the embedding part."""

    def __init__(self, schema: Schema, layout: Unified, upstream: Array, *, rngs: nnx.Rngs):
        self.embed = Embedding(schema, layout, rngs=rngs)
        self.upstream = nnx.Variable(upstream)

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        return handed(vectors.concatenated(), self.upstream[...])


class Ours:
    """The library's `Learner` over a multiplexed `Hash` table with row-wise Adagrad."""

    name = "recsys"
    recipe = "row-wise Adagrad"

    def __init__(
        self,
        *,
        rows: int,
        dim: int,
        features: int,
        batches: list[Draws],
        hidden: tuple[int, ...] = (256, 128),
        learning_rate: float = 0.01,
    ) -> None:
        schema = Schema(tuple(Feature(f"feature{i}") for i in range(features)))
        layout = Unified(Hash(rows=rows), dim)
        rows_learn = RowTraining(RowwiseAdagrad(learning_rate))
        recipe = Recipe(rows=rows_learn, dense=DenseSGD(learning_rate))
        upstream = jax.random.normal(jax.random.key(2), (len(batches[0][0]), features * dim))
        self.learner = Learner(lambda: Network(schema, layout, hidden, rngs=nnx.Rngs(0)), recipe)
        self.state = self.learner.start()
        # The embedding part runs on the very same rows and slots, handed over and back.
        self.alone = Learner(lambda: Given(schema, layout, upstream, rngs=nnx.Rngs(0)), recipe)
        self.others = jax.jit(lambda: without_rows(self.alone.fresh()))()
        self.batches = [self.learner.put(packed(ids, labels)) for ids, labels in batches]

    def step(self, i: int) -> Report:
        """Reads, learns and writes: queues one whole train step."""
        self.state, report = self.learner.step(self.state, self.batches[i % len(self.batches)])
        return report

    def embedding(self, i: int) -> Report:
        """The same step without a network: the gradient on the vectors is given."""
        state = dataclasses.replace(self.others, rows=self.state.rows, slots=self.state.slots)
        state, report = self.alone.step(state, self.batches[i % len(self.batches)])
        self.state = dataclasses.replace(self.state, rows=state.rows, slots=state.slots)
        self.others = without_rows(state)
        return report


def without_rows(state: State) -> State:
    """All of a state but the table and its slots."""
    return dataclasses.replace(state, rows=nnx.State({}), slots={})


def packed(ids: np.ndarray, labels: np.ndarray) -> Batch:
    """Ids as the keys of a batch."""
    return Batch(
        high=np.zeros(ids.shape, np.uint32),
        low=ids.astype(np.uint32),
        valid=np.ones(ids.shape, bool),
        numbers=np.zeros((len(ids), 0), np.float32),
        label=labels.astype(np.float32),
        weight=np.ones(len(ids), np.float32),
    )
