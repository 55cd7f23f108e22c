"""Log loss as a share of what the base rate alone would lose."""

import dataclasses

import numpy as np

from recsys.metrics.logloss import LogLoss
from recsys.metrics.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class NormalisedEntropy:
    """Log loss over the entropy of the split's click rate; below 1 is better than a constant.

    He et al., ADKDD 2014. Unlike log loss it compares across splits of different click rates.
    """

    def __call__(self, predictions: Predictions) -> float:
        loss = LogLoss()(predictions)
        weight = predictions.weight
        rate = float(np.average(predictions.label, weights=weight))
        if not 0 < rate < 1:
            raise ValueError(
                f"NormalisedEntropy needs clicks and non-clicks, got a click rate of {rate:g}: "
                "evaluate on a split that has both."
            )
        return loss / -(rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
