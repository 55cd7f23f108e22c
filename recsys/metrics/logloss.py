"""Binary cross-entropy of a split, in nats an example."""

import dataclasses

import numpy as np

from recsys.metrics.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class LogLoss:
    """The weighted mean of -log p(label), from logits and summed in float64.

    log(1 + exp(x)) - label * x is finite for every finite logit, where the logarithm of a rounded
    probability is not.
    """

    def __call__(self, predictions: Predictions) -> float:
        weight = predictions.weight
        total = len(predictions) if weight is None else weight.sum(dtype=np.float64)
        if total == 0:
            raise ValueError(
                f"LogLoss needs an example that counts, got {len(predictions)} of total weight 0: "
                "evaluate on a split that has some."
            )
        logit = predictions.logit.astype(np.float64)
        loss = np.logaddexp(0.0, logit) - predictions.label * logit
        return float(np.sum(loss if weight is None else loss * weight, axis=0) / total)
