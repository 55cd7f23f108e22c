"""Predictions of a model that saw only some of the non-clicks, as if it had seen all."""

import math

from recsys.metrics.predictions import Predictions


def recalibrated(predictions: Predictions, *, kept: float) -> Predictions:
    """The predictions that belong to the log before non-clicks were left out of the training.

    With a share w of the non-clicks kept, a probability p means q = p / (p + (1 - p) / w) (He et
    al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014).
    As the odds of q are w times those of p, its logit is that of p plus log(w). The order of the
    examples, and so AUC, stays; log loss, normalised entropy and calibration do not. They are those
    of the log if the split is a part of it as it was; of a split that was thinned out alike, give
    non-clicks the weight 1 / w.

    Args:
        kept: the share of the non-clicks that training saw, in (0, 1].
    """
    found = Predictions()
    if len(predictions):
        found.add(
            predictions.logit + correction(kept),
            predictions.label,
            weight=predictions.weight,
            group=predictions.group,
        )
    return found


def correction(kept: float) -> float:
    """What to add to a logit after training on a share of the non-clicks: log(kept)."""
    if not 0 < kept <= 1:
        raise ValueError(
            f"The share of non-clicks kept lies in (0, 1], got kept={kept}: 1 is all of them."
        )
    return math.log(kept)
