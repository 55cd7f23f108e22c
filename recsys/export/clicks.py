"""Click models: rows in, probabilities out."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from recsys.data.store import Store
from recsys.export.draft import Draft, named
from recsys.export.frozen import Asked
from recsys.export.stored import stored
from recsys.release.golden import asked
from recsys.release.programs import Width
from recsys.training.predictor import Predictor
from recsys.training.run import Run

GOLDEN = 16  # requests
NOTHING: Mapping[str, Any] = {"row": {}}  # every feature imputed


def programs(spec: Any) -> dict[str, Asked]:
    """What a release of a click model answers."""

    def predict(model: Any, batch: Any) -> Any:
        return jax.nn.sigmoid(model(model.embed(batch), batch))

    return {"predict": Asked(predict, Width.of(spec.schema))}


def draft(
    predictor: Predictor,
    *,
    requests: Sequence[Mapping[str, Any]] = (),
    metrics: Mapping[str, float] | None = None,
    split: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> Draft:
    """The release of a predictor.

    Args:
        predictor: of a trained model.
        requests: golden ones: `{"row": {...}}` of raw values, or keys.
        metrics: of the model.
        split: that they were measured on.
        data: what it was trained on.
    """
    schema = predictor.schema
    return Draft(
        task="click",
        model=predictor.model,
        state=predictor.state,
        schema=schema,
        vocabularies=named(schema.features, predictor.vocabularies),
        requests=[*requests, NOTHING],
        user_column=schema.user or "user",
        metrics=metrics or {},
        split=split,
        data=data or {},
    )


def of_run(run: Run) -> Draft:
    """The release of a run; what its store would tell is left out where that is gone."""
    requests = []
    if run.store.exists():
        last = list(Store.open(run.store).splits.values())[-1]
        chosen = np.linspace(0, len(last) - 1, min(GOLDEN, len(last))).astype(np.int64)
        batch = last.take(chosen)
        requests = [asked(batch, row) for row in range(len(chosen))]
    return draft(
        run.predictor,
        requests=requests,
        metrics=run.valid,
        split="valid",
        data=stored(run.store, run.store_digest),
    )
