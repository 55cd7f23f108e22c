"""Area under the ROC curve: how often a click is ranked above a non-click."""

import dataclasses

from recsys.metrics.predictions import Predictions


@dataclasses.dataclass(frozen=True)
class AUC:
    """The chance that a random click scores above a random non-click; a tie counts one half."""

    def __call__(self, predictions: Predictions) -> float:
        from sklearn.metrics import roc_auc_score  # late: it loads for longer than all of ours

        label, weight = predictions.label, predictions.weight
        counted = label if weight is None else label[weight > 0]
        if len(counted) == 0 or counted.all() or not counted.any():
            raise ValueError(
                f"AUC needs clicks and non-clicks, got {counted.sum()} clicks among "
                f"{len(counted)} counted examples: evaluate on a split that has both."
            )
        return float(roc_auc_score(label, predictions.logit, sample_weight=weight))
