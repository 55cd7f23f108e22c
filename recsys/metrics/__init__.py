"""How good predictions are over a whole split: one line per metric."""

from collections.abc import Callable

from recsys.metrics.auc import AUC
from recsys.metrics.calibration import Calibration
from recsys.metrics.logloss import LogLoss
from recsys.metrics.normalised_entropy import NormalisedEntropy
from recsys.metrics.predictions import Predictions

METRICS: dict[str, Callable[[], Callable[[Predictions], float]]] = {
    "auc": AUC,
    "logloss": LogLoss,
    "normalised_entropy": NormalisedEntropy,
    "calibration": Calibration,
}

__all__ = ["AUC", "METRICS", "Calibration", "LogLoss", "NormalisedEntropy", "Predictions"]
