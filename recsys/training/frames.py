"""Training in memory: a frame of pandas, Polars or Arrow, or a dict of columns, to a predictor.

model = recsys.fit(frame, Schema((Feature("user"), Feature("item")), label="click"))
probability = model.predict(new_rows)
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Int64

from recsys.data.loader import Shuffled
from recsys.features.columns import Column, as_array
from recsys.features.schema import Schema
from recsys.parallel.mesh import make_mesh
from recsys.training import loop
from recsys.training.learner import Learner
from recsys.training.predictor import Predictor, columns_of
from recsys.training.resolving import resolve
from recsys.training.settings import Settings

HELD_OUT = 0.1  # share of the rows that choose the epoch, where no other rows are given
MIN_COUNT = 2  # values that came only once are unknown, which teaches what an unknown value means


def fit(
    frame: Any,
    schema: Schema,
    *,
    valid: Any = None,
    settings: Settings | None = None,
    mesh: Mesh | None = None,
) -> Predictor:
    """Trains on the rows of a frame; the epoch is chosen on other rows.

    Vocabularies and transforms that the schema leaves open are learned from the training rows.

    Args:
        frame: columns by name, with that of the label.
        schema: which columns are features, and what they are.
        valid: rows that choose the epoch; by default a tenth of the frame, drawn at random.
        settings: what to train, and how.
        mesh: the devices; the first alone by default.

    Raises:
        ValueError: a column is missing or not as the schema says, or there is nothing to learn.
    """
    settings, mesh = settings or Settings(), mesh or make_mesh(jax.devices()[:1])
    columns = columns_of(frame)
    schema.require(columns)
    if valid is None:
        columns, held = _held_out(columns, settings.seed)
    else:
        held = columns_of(valid)
    named = [f.name for f in schema.features if f.has_names and f.values is None]
    schema, vocabularies = schema.with_vocabularies(columns, named, min_count=MIN_COUNT)
    train, chooses = (schema.encode(part, vocabularies) for part in (columns, held))
    resolved = resolve(settings, schema, len(train))
    learner = Learner(
        lambda: resolved.model.build(rngs=nnx.Rngs(resolved.seed)), resolved.recipe, mesh
    )
    fitted = loop.fit(
        learner,
        Shuffled(train, size=resolved.batch, seed=resolved.seed),
        epochs=resolved.epochs,
        patience=resolved.patience,
        valid=chooses,
    )
    return Predictor(resolved.model, fitted.state, vocabularies, recipe=resolved.recipe, mesh=mesh)


def _held_out(
    columns: Mapping[str, Column], seed: int
) -> tuple[dict[str, Column], dict[str, Column]]:
    """The columns in two parts, by a draw of rows."""
    arrays = {name: as_array(column) for name, column in columns.items()}
    rows = min(map(len, arrays.values()))
    order = np.random.default_rng(seed).permutation(rows)
    first = int(rows * HELD_OUT)
    return _rows(arrays, order[first:]), _rows(arrays, order[:first])


def _rows(arrays: Mapping[str, np.ndarray], chosen: Int64[np.ndarray, "chosen"]) -> dict:
    return {name: array[np.sort(chosen)] for name, array in arrays.items()}
