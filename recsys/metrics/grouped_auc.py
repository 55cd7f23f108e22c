"""AUC within groups, as of users: how often a click is ranked above a non-click of the same one."""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt64

from recsys.metrics.predictions import Predictions


class Groups(NamedTuple):
    """The groups of a split, and what is known of their AUC."""

    key: UInt64[np.ndarray, "groups"]  # sorted
    impressions: Float[np.ndarray, "groups"]  # the sum of the weights; 1 an example without any
    auc: Float[np.ndarray, "groups"]  # NaN where a group has one class only

    @property
    def left_out(self) -> int:
        """How many groups have no AUC, because all of their examples are of one class."""
        return int(np.isnan(self.auc).sum())


@dataclasses.dataclass(frozen=True)
class GroupedAUC:
    """The mean AUC of the groups, each weighted by its impressions (Zhu et al., "Optimized Cost per
    Click in Taobao Display Advertising", KDD 2017).

    Groups of one class have no AUC and are left out, their impressions too; `GroupsLeftOut` counts
    them.
    """

    def __call__(self, predictions: Predictions) -> float:
        found = groups(predictions)
        counted = ~np.isnan(found.auc)
        if not counted.any():
            raise ValueError(
                f"GroupedAUC needs a group with clicks and non-clicks, got {len(found.key)} groups "
                "of one class each: evaluate on a larger split, or group by another column."
            )
        return float(np.average(found.auc[counted], weights=found.impressions[counted]))


@dataclasses.dataclass(frozen=True)
class GroupsLeftOut:
    """How many groups GroupedAUC says nothing about."""

    def __call__(self, predictions: Predictions) -> float:
        return float(groups(predictions).left_out)


def groups(predictions: Predictions) -> Groups:
    """Impressions and AUC of each group, exact, with ties as one half; groups of weight 0 are none.

    One sort of all examples by (group, logit), so that a million groups cost no loop.
    """
    group = predictions.group
    if group is None:
        raise ValueError(
            f"GroupedAUC needs to know whose each example is, got {len(predictions)} without a "
            "group: give Predictions a group, or the schema a user."
        )
    weight = predictions.weight
    counted = slice(None) if weight is None else weight > 0
    group, logit, label = group[counted], predictions.logit[counted], predictions.label[counted]
    weight = np.ones(len(group)) if weight is None else weight[counted].astype(np.float64)
    order = np.lexsort((logit, group))
    group, logit = group[order], logit[order]
    click = np.where(label[order], weight[order], 0.0)
    other = weight[order] - click

    ties = _starts(group, logit)  # one score of one group
    click, other = _sums(click, ties), _sums(other, ties)
    first = _starts(group[ties])  # the first score of each group
    below = np.cumsum(other) - other
    below -= np.repeat(below[first], np.diff([*first, len(ties)]))  # of the same group
    clicks, others = _sums(click, first), _sums(other, first)
    won = _sums(click * (below + other / 2), first)
    with np.errstate(invalid="ignore"):
        auc = won / (clicks * others)  # 0 / 0 where there is one class
    return Groups(group[ties][first], clicks + others, auc)


def _starts(*columns: np.ndarray) -> np.ndarray:
    """Where rows of sorted columns differ from the row before."""
    is_new = np.zeros(len(columns[0]), bool)
    is_new[:1] = True
    for column in columns:
        is_new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(is_new)


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The sum of each run of values."""
    return np.add.reduceat(values, starts) if len(starts) else np.zeros(0)
