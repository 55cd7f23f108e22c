"""Evaluation: what a trained state predicts for a whole split, and how good that is."""

from contextlib import closing

import numpy as np

from recsys.data.examples import Examples
from recsys.data.in_order import InOrder
from recsys.data.stream import stream
from recsys.features.batch import Batch
from recsys.metrics import METRICS, Predictions
from recsys.training.learner import Learner
from recsys.training.step import State


def evaluate(
    learner: Learner,
    state: State,
    data: Examples,
    *,
    batch_size: int = 4096,
    metrics: tuple[str, ...] = ("auc", "logloss"),
) -> dict[str, float]:
    """Metrics of a split, by name; exact over all of it."""
    predicted = predict(learner, state, data, batch_size=batch_size)
    return {name: METRICS[name]()(predicted) for name in metrics}


def predict(
    learner: Learner, state: State, data: Examples, *, batch_size: int = 4096
) -> Predictions:
    """What the state that one would serve says of every example; reads them batch by batch."""
    state = served(learner, state)
    devices = learner.mesh.size
    loader = InOrder(data, size=-(-batch_size // devices) * devices)
    predictions = Predictions()

    def put(batch: Batch) -> tuple[Batch, Batch]:
        return batch, learner.put(batch)

    with closing(stream(loader, put=put)) as batches:
        for step, (batch, placed) in enumerate(batches):
            real = slice(loader.count(step))
            label, weight = batch.label[real], batch.weight[real]
            logit = np.asarray(learner.predict(state, placed))[real]
            predictions.add(logit, label, weight=weight if (weight != 1).any() else None)
    return predictions


def served(learner: Learner, state: State) -> State:
    """The state that is evaluated and served: the moving averages, where the recipe keeps them."""
    return learner.averaged(state) if learner.recipe.rows.average else state
