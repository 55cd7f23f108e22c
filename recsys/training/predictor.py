"""A predictor: a trained model with all that turns raw rows into its predictions."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float32

from recsys.data.examples import Examples
from recsys.data.passes import each_chunk
from recsys.data.reading import Chunk, pieces
from recsys.data.rejects import Rejects
from recsys.data.store import StoredExamples
from recsys.features.batch import Batch
from recsys.features.columns import Column
from recsys.features.schema import Schema
from recsys.features.vocabulary import Vocabulary
from recsys.metrics import METRICS, Predictions, recalibrated
from recsys.training.evaluation import predict, served
from recsys.training.learner import Learner
from recsys.training.recipe import Recipe
from recsys.training.step import State

BY_GROUP = ("grouped_auc", "groups_left_out")  # metrics that ask whose an example is


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Some rows of a file, and what the model says of them."""

    chunk: Chunk
    batch: Batch
    logit: Float32[np.ndarray, "rows"]


class Predictor:
    """Raw rows in, probabilities out.

    It holds what is served: the moving averages, where training kept them, and no optimizer state.
    """

    def __init__(
        self,
        model: Any,
        state: State,
        vocabularies: Mapping[str, Vocabulary],
        *,
        recipe: Recipe,
        mesh: Mesh | None = None,
    ):
        """A predictor of a trained state.

        Args:
            model: the spec that built the model.
            vocabularies: by feature, those that the training data were encoded with.
            recipe: the one that the state was trained with.
            mesh: the devices that the state is on.
        """
        self.model, self.vocabularies = model, dict(vocabularies)

        def build() -> nnx.Module:
            return model.build(rngs=nnx.Rngs(0))

        state = served(Learner(build, recipe, mesh), state)
        self.learner = Learner(build, Recipe(), mesh)
        self.state = dataclasses.replace(state, slots={}, dense=(), average=None)

    @property
    def schema(self) -> Schema:
        """What it reads of a row."""
        return self.model.schema

    def encode(self, frame: Any) -> Batch:
        """A frame, or columns by name, as the model reads it."""
        return self.schema.encode(columns_of(frame), self.vocabularies)

    def predict(self, frame: Any) -> Float32[np.ndarray, "rows"]:
        """The probability of each row of a frame, or of columns by name."""
        columns = {n: c for n, c in columns_of(frame).items() if n != self.schema.label}
        batch = self.schema.encode(columns, self.vocabularies)
        return probability(predict(self.learner, self.state, batch).logit)

    def evaluate(self, frame: Any, metrics: Iterable[str] | None = None) -> dict[str, float]:
        """Metrics of a frame that has labels; None is all that can be told of it."""
        columns = columns_of(frame)
        self._require_label(columns)
        predictions = predict(self.learner, self.state, self.encode(columns))
        if self.schema.user in columns:
            predictions = grouped(predictions, self.schema.keys("user", columns))
        return measure(predictions, metrics)

    def predictions(self, examples: Examples) -> Predictions:
        """Logits and labels of a whole split, grouped by user where it knows them."""
        found = predict(self.learner, self.state, examples)
        if isinstance(examples, StoredExamples) and self.schema.user is not None:
            found = grouped(found, examples.keys("user"))
        return found

    def score(
        self,
        files: str | Path | Iterable[str | Path],
        *,
        also: Collection[str] = (),
        rejects: Rejects | None = None,
    ) -> Iterator[Scored]:
        """The rows of raw files with their logits, chunk by chunk.

        Args:
            files: in any format that can be imported.
            also: columns to read besides those of the features; with the label among them, the
                batches have labels.
            rejects: where rows go that cannot be read; None makes the first an error.
        """
        wanted = {name for feature in self.schema.features for name in feature.columns} | set(also)
        rejects = rejects or Rejects()

        def encoded(columns: Mapping[str, Column]) -> Batch:
            return self.schema.encode(columns, self.vocabularies)

        for done in each_chunk(pieces(files, columns=wanted), encoded):
            rejects.add(done.rejects)
            if len(done.result):
                logit = predict(self.learner, self.state, done.result).logit
                yield Scored(done.chunk, done.result, logit)

    def _require_label(self, columns: Collection[str]) -> None:
        if self.schema.label is None or self.schema.label not in columns:
            raise ValueError(
                f"Evaluating needs the label {self.schema.label!r}, got columns "
                f"{sorted(columns)}: add it, or predict."
            )


def columns_of(frame: Any) -> Mapping[str, Column]:
    """The columns of a mapping, or of a frame of pandas, Polars or Arrow, by name."""
    if isinstance(frame, Mapping):
        return frame
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    if names is None:
        raise TypeError(
            f"A frame has columns by name, got {type(frame).__name__}: give a dict of columns, or "
            "a frame of pandas, Polars or Arrow."
        )
    return {str(name): frame[name] for name in names}


def grouped(predictions: Predictions, group: np.ndarray) -> Predictions:
    """The predictions with a key of whose each example is."""
    found = Predictions()
    found.add(predictions.logit, predictions.label, weight=predictions.weight, group=group)
    return found


def measure(
    predictions: Predictions, metrics: Iterable[str] | None = None, *, kept: float = 1.0
) -> dict[str, float]:
    """Metrics by name; None is all of them that have a value for these predictions.

    Args:
        kept: the share of non-clicks that training saw, which the predictions are corrected for.

    Raises:
        ValueError: a metric that was asked for by name has no value.
    """
    predictions = recalibrated(predictions, kept=kept)
    if metrics is not None:
        return {name: METRICS[name]()(predictions) for name in metrics}
    found = {name: METRICS[name]()(predictions) for name in METRICS if name not in BY_GROUP}
    if predictions.group is not None:
        for name in BY_GROUP:
            try:
                found[name] = METRICS[name]()(predictions)
            except ValueError:  # as where every user has one example
                continue
    return found


def probability(logit: Float32[np.ndarray, "rows"]) -> Float32[np.ndarray, "rows"]:
    """What a logit means."""
    return np.exp(-np.logaddexp(np.float32(0), -logit)).astype(np.float32)
