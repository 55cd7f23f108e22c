"""What each feature does for a model: gradient norms, and the AUC that is lost without it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Integer

from recsys.data.examples import Examples
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.metrics import AUC
from recsys.report.values import pieces
from recsys.tables.base import Context
from recsys.training.evaluation import predict, served
from recsys.training.learner import Learner
from recsys.training.step import State, read_rows

BATCH = 4096


@dataclasses.dataclass(frozen=True, eq=False)
class Masked:
    """Examples of which one feature is hidden: no values, or the mean of its numbers."""

    examples: Examples
    schema: Schema
    feature: str
    mean: Float[np.ndarray, "numbers"]  # of every column of numbers

    def __len__(self) -> int:
        """How many examples."""
        return len(self.examples)

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> Batch:
        """Some of the examples, without the feature."""
        batch = self.examples.take(indices)
        numeric = [feature.name for feature in self.schema.numeric]
        if self.feature in numeric:
            place = numeric.index(self.feature)
            numbers = np.array(batch.numbers)
            numbers[:, place] = self.mean[place]
            return dataclasses.replace(batch, numbers=numbers)
        valid = np.array(batch.valid)
        valid[:, self.schema.span(self.feature)] = False
        return dataclasses.replace(batch, valid=valid)


def ablation(
    learner: Learner, state: State, schema: Schema, examples: Examples
) -> dict[str, float]:
    """How much lower the AUC is with each feature hidden from a model that learned with it.

    Small or below 0 means that the others say the same; it is no proof that a model trained
    without the feature would be as good.
    """
    mean = numbers_mean(examples)
    whole = AUC()(predict(learner, state, examples, batch_size=BATCH))
    lost = {}
    for feature in schema.features:
        hidden = Masked(examples, schema, feature.name, mean)
        lost[feature.name] = whole - AUC()(predict(learner, state, hidden, batch_size=BATCH))
    return lost


def numbers_mean(examples: Examples) -> Float[np.ndarray, "numbers"]:
    """The mean of every column of numbers."""
    sums = [batch.numbers.sum(axis=0, dtype=np.float64) for batch in pieces(examples)]
    return (np.sum(sums, axis=0) / max(1, len(examples))).astype(np.float32)


def gradient_norms(
    learner: Learner, state: State, schema: Schema, examples: Examples
) -> dict[str, float]:
    """How strongly one example's loss pulls at each feature: the root mean square, over examples,
    of the norm of the gradient for its vectors, or for its number.
    """
    state = served(learner, state)
    step = jax.jit(lambda state, batch: _squares(learner, state, schema, batch))
    total, count = dict.fromkeys((f.name for f in schema.features), 0.0), 0
    for start in range(0, len(examples), BATCH):
        if start and start + BATCH > len(examples):
            break  # one program serves all; what fills no batch is left out
        batch = examples.take(slice(start, start + BATCH))
        batch = batch.take(slice(0, len(batch) // learner.mesh.size * learner.mesh.size))
        for name, value in step(state, learner.put(batch)).items():
            total[name] += float(value)
        count += len(batch)
    return {name: float(np.sqrt(value / max(1, count))) for name, value in total.items()}


def _squares(
    learner: Learner, state: State, schema: Schema, batch: Batch
) -> Mapping[str, Float[Array, ""]]:
    """The sum over examples of squared gradients, by feature."""
    model: Any = nnx.merge(learner.graph, state.rows, state.params, state.rest)
    keys, _, rows = read_rows(model, batch, learner.exchange)
    context = Context.still()
    vectors = {t: model.embed.tables[t].decode(rows[t], key, context) for t, key in keys.items()}

    def loss_of(vectors: dict[str, Array], numbers: Array) -> Float[Array, ""]:
        inside = dataclasses.replace(batch, numbers=numbers)
        return model.loss(model.embed.split(vectors, keys), inside, context)

    pulls, slopes = jax.grad(loss_of, argnums=(0, 1))(vectors, batch.numbers)
    count = len(batch.label)  # the loss is a mean over examples
    by_feature = model.embed.split(pulls, keys)
    squares = {name: jnp.sum((count * by_feature.places(name)) ** 2) for name in by_feature}
    for place, feature in enumerate(schema.numeric):
        squares[feature.name] = jnp.sum((count * slopes[:, place]) ** 2)
    return squares
