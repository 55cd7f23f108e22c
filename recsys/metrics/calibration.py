"""Whether predicted clicks add up to the clicks that happened."""

import dataclasses

import numpy as np

from recsys.metrics.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The sum of predicted probabilities over the number of clicks; above 1 promises too many."""

    def __call__(self, predictions: Predictions) -> float:
        weight = np.float64(1) if predictions.weight is None else predictions.weight
        clicks = np.sum(predictions.label * weight, axis=0, dtype=np.float64)
        if clicks == 0:
            raise ValueError(
                f"Calibration needs at least one click, got none among {len(predictions)} "
                "examples: evaluate on a split that has some."
            )
        probability = np.exp(-np.logaddexp(0.0, -predictions.logit.astype(np.float64)))
        return float(np.sum(probability * weight, axis=0) / clicks)
