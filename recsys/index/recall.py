"""How much of the very best a base finds, measured with vectors of users.

Users are not distributed like items, so an index that finds items by items says little: only
queries like those of later count. Where an index finds too little its effort is raised, and below
a floor it is not handed out.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float32

from recsys.index.base import Base, Spec
from recsys.index.found import NOTHING, Rows

AT = 100  # items of a list whose recall is measured
ALIKE = 1e-6  # relative difference of scores that counts as none


class RecallError(ValueError):
    """An index finds too little to be published."""


@dataclasses.dataclass(frozen=True)
class Recall:
    """What was measured, and with how many users."""

    value: float  # share of the best `at` items that was found
    at: int
    users: int


def recall(
    base: Base,
    users: Float32[np.ndarray, "users dim"],
    *,
    mask: Bool[np.ndarray, "rows"] | None = None,
    at: int = AT,
) -> Recall:
    """The share of the best items, among those that the mask allows, that a base finds."""
    best = base.scan(users, at, None if mask is None else np.flatnonzero(mask))
    return Recall(overlap(best, base.search(users, at, mask)), at, len(users))


def overlap(best: Rows, found: Rows) -> float:
    """The share of the best that was found; 1 where there is nothing to find. What scores as much
    as the last of the best is one of them.
    """
    last = np.min(np.where(best.rows == NOTHING, np.inf, best.scores), axis=1, keepdims=True)
    reached = (found.rows != NOTHING) & (found.scores >= last - ALIKE * np.abs(last))
    wanted = best.counts()
    hits = np.minimum(np.sum(reached, axis=1), wanted)
    return float(np.sum(hits) / max(np.sum(wanted), 1)) if np.sum(wanted) else 1.0


def tuned(
    base: Base, users: Float32[np.ndarray, "users dim"], *, goal: float, at: int = AT
) -> Recall:
    """Raises a base's effort by half until it reaches the goal or can do no more."""
    best = base.scan(users, at, None)
    while True:
        value = overlap(best, base.search(users, at, None))
        if value >= goal or base.effort >= base.most_effort:
            return Recall(value, at, len(users))
        base.effort = min(math.ceil(1.5 * base.effort), base.most_effort)


def accepted(
    spec: Spec,
    base: Base,
    users: Float32[np.ndarray, "users dim"] | None,
    *,
    goal: float,
    floor: float,
    at: int = AT,
) -> Recall | None:
    """What a base finds, its effort raised to the goal; None if it is exact.

    Raises:
        RecallError: it finds less than the floor.
        ValueError: there are no users to measure it with.
    """
    if base.is_exact:
        return None
    name = type(spec).__name__
    if users is None or not len(users):
        raise ValueError(
            f"{name} wants vectors of users to be measured with, got none: pass users, or use "
            "Exact."
        )
    found = tuned(base, users, goal=goal, at=at)
    if found.value < floor:
        raise RecallError(
            f"{name} wants to find at least {floor:.3f} of the best {at} items, got "
            f"{found.value:.3f} with {len(users)} users: look at more of it, or use Exact."
        )
    return found
