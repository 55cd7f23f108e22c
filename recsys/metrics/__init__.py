"""How good predictions are over a whole split: one line per metric."""

from collections.abc import Callable

from recsys.metrics.auc import AUC
from recsys.metrics.calibration import Calibration
from recsys.metrics.grouped_auc import GroupedAUC, Groups, GroupsLeftOut, groups
from recsys.metrics.logloss import LogLoss
from recsys.metrics.normalised_entropy import NormalisedEntropy
from recsys.metrics.predictions import Predictions
from recsys.metrics.recalibration import correction, recalibrated

METRICS: dict[str, Callable[[], Callable[[Predictions], float]]] = {
    "auc": AUC,
    "logloss": LogLoss,
    "normalised_entropy": NormalisedEntropy,
    "calibration": Calibration,
    "grouped_auc": GroupedAUC,
    "groups_left_out": GroupsLeftOut,
}

__all__ = [
    "AUC",
    "METRICS",
    "Calibration",
    "GroupedAUC",
    "Groups",
    "GroupsLeftOut",
    "LogLoss",
    "NormalisedEntropy",
    "Predictions",
    "correction",
    "groups",
    "recalibrated",
]
