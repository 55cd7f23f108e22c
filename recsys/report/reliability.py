"""Reliability: of examples that were promised the same probability, the share that was clicked."""

import dataclasses

import numpy as np
from jaxtyping import Float

from recsys.metrics import Predictions


@dataclasses.dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of as many examples each, from the lowest predictions to the highest."""

    promised: Float[np.ndarray, "bins"]  # mean predicted probability
    happened: Float[np.ndarray, "bins"]  # share of clicks
    error: Float[np.ndarray, "bins"]  # one standard error of that share


def reliability(predictions: Predictions, *, bins: int = 15) -> Reliability:
    """The bins of a whole split; weights are heeded."""
    order = np.argsort(predictions.logit, kind="stable")
    probability = 1 / (1 + np.exp(-predictions.logit[order].astype(np.float64)))
    label = predictions.label[order].astype(np.float64)
    weight = predictions.weight
    weight = np.ones(len(order)) if weight is None else weight[order].astype(np.float64)
    rows = []
    for part in np.array_split(np.arange(len(order)), min(bins, len(order))):
        total = weight[part].sum()
        if not total:
            continue
        share = (weight[part] * label[part]).sum() / total
        effective = total**2 / (weight[part] ** 2).sum()
        error = np.sqrt(share * (1 - share) / effective)
        rows.append(((weight[part] * probability[part]).sum() / total, share, error))
    return Reliability(*np.array(rows).reshape(-1, 3).T)
