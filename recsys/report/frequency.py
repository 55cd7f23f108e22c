"""AUC by how often training saw a value: whether the rare are served as well as the popular."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Int64

from recsys.data.examples import Examples
from recsys.features.hashing import Words, join
from recsys.features.schema import Feature, Schema
from recsys.metrics import AUC, Predictions
from recsys.report.values import Values, pieces

EDGES = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)  # where a new band begins
MOST_FEATURES = 4  # that are looked at


@dataclasses.dataclass(frozen=True)
class FrequencyBand:
    """The examples whose value was seen so often."""

    label: str  # how often, in words
    examples: int
    auc: float | None  # None where only clicks or only non-clicks fall in it


def telling(schema: Schema, values: Mapping[str, Values]) -> tuple[Feature, ...]:
    """The features of one value whose frequency says most: those with the most values."""
    single = [f for f in schema.categorical if f.kind == "categorical" and not f.cross]
    ranked = sorted(single, key=lambda feature: -len(values[feature.name]))
    return tuple(ranked[:MOST_FEATURES])


def by_frequency(
    schema: Schema,
    values: Mapping[str, Values],
    examples: Examples,
    predictions: Predictions,
) -> dict[str, list[FrequencyBand]]:
    """Bands of each telling feature, from values that training never saw to the most frequent."""
    features = telling(schema, values)
    counts: dict[str, list[np.ndarray]] = {feature.name: [] for feature in features}
    for batch in pieces(examples):
        for feature in features:
            span = schema.span(feature.name)
            keys = join(Words(np.asarray(batch.high[:, span]), np.asarray(batch.low[:, span])))
            counts[feature.name].append(values[feature.name].count(keys[:, 0]))
    return {name: _bands(np.concatenate(own), predictions) for name, own in counts.items()}


def _bands(counts: Int64[np.ndarray, "examples"], predictions: Predictions) -> list[FrequencyBand]:
    band = np.searchsorted(EDGES, counts, side="right")
    bands = []
    for number in np.unique(band).tolist():
        chosen = band == number
        label = predictions.label[chosen]
        auc = None
        if label.any() and not label.all():
            part = Predictions()
            weight = predictions.weight
            part.add(
                predictions.logit[chosen],
                label,
                weight=None if weight is None else weight[chosen],
            )
            auc = AUC()(part)
        bands.append(FrequencyBand(_spelled(number), int(chosen.sum()), auc))
    return bands


def _spelled(number: int) -> str:
    if number == 0:
        return "never"
    least = EDGES[number - 1]
    if number == len(EDGES):
        return f"{least:,}+"
    return f"{least:,}" if EDGES[number] == least + 1 else f"{least:,}-{EDGES[number] - 1:,}"
