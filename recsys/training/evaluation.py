"""Evaluation: what a trained state predicts for a whole split, and how good that is."""

from collections.abc import Iterator

import numpy as np

from recsys.features.batch import Batch
from recsys.metrics import METRICS, Predictions
from recsys.training.learner import Learner
from recsys.training.step import State


def evaluate(
    learner: Learner,
    state: State,
    data: Batch,
    *,
    batch_size: int = 4096,
    metrics: tuple[str, ...] = ("auc", "logloss"),
) -> dict[str, float]:
    """Metrics of a split, by name; exact over all of it."""
    predicted = predict(learner, state, data, batch_size=batch_size)
    return {name: METRICS[name]()(predicted) for name in metrics}


def predict(learner: Learner, state: State, data: Batch, *, batch_size: int = 4096) -> Predictions:
    """What the state that one would serve says of every example."""
    state = served(learner, state)
    predictions = Predictions()
    is_weighted = bool((np.asarray(data.weight) != 1).any())
    for part, count in _batches(data, -(-batch_size // learner.mesh.size) * learner.mesh.size):
        logit = np.asarray(learner.predict(state, part))[:count]
        weight = np.asarray(part.weight)[:count] if is_weighted else None
        predictions.add(logit, np.asarray(part.label)[:count], weight=weight)
    return predictions


def served(learner: Learner, state: State) -> State:
    """The state that is evaluated and served: the moving averages, where the recipe keeps them."""
    return learner.averaged(state) if learner.recipe.rows.average else state


def _batches(data: Batch, size: int) -> Iterator[tuple[Batch, int]]:
    """Batches of one size, so that one program serves all, and how many examples of each count.

    The last is filled up with copies of its first example, that read nothing and weigh nothing.
    """
    for start in range(0, len(data), size):
        count = min(size, len(data) - start)
        index = np.arange(start, start + size)
        part = data.take(np.where(index < start + count, index, start))
        if count < size:
            is_real = np.arange(size) < count
            valid, weight = part.valid & is_real[:, None], part.weight * is_real
            part = Batch(part.high, part.low, valid, part.numbers, part.label, weight)
        yield part, count
