"""Why a score: the share of each skill, what is missing, and what an edit would change.

A score is the sum over skills of w_k p_k q_k. Vectors hold sqrt-of-w shares of it (a_k p_k and
a'_k q_k), so that the product of two entries is the share of a skill, exactly. Where words are
entries as well, the same holds of them.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32

from recsys.explicit.inventory import Inventory

Vector = Float32[np.ndarray, " named"]


@dataclasses.dataclass(frozen=True)
class WhatIf:
    """A score before and after skills of a profile were edited."""

    before: float
    after: float
    moved: tuple[tuple[str, float], ...]  # what each edited skill changed; they sum to the rest


def shares(inventory: Inventory, profile: Vector, job: Vector) -> list[tuple[str, float]]:
    """Every skill that has a share in the score, largest first."""
    return _named(inventory, profile * job)


def missing(
    inventory: Inventory, profile: Vector, job: Vector, level: Vector
) -> list[tuple[str, float]]:
    """Skills of the job that the profile has less of than of its strongest, and what the score
    would win if it had them as much, the level of each; most first.
    """
    return _named(inventory, np.maximum(level - profile, 0) * job)


def edited(
    inventory: Inventory,
    profile: Vector,
    job: Vector,
    level: Vector,
    values: Mapping[str, float],
) -> WhatIf:
    """The score with other values of some skills: 0 takes one away, 1 is as much as the profile has
    of its strongest.

    Raises:
        ValueError: a skill is unknown, or a value is below 0 or no number.
    """
    wrong = [value for value in values.values() if not 0 <= value < np.inf]
    if wrong:
        raise ValueError(
            f"A skill is edited to a value of at least 0, got {wrong[0]}: 0 takes it away, 1 is "
            "as much as the profile has of its strongest."
        )
    before = float(profile @ job)
    numbers = {name: inventory.number(name) for name in values}
    moved = tuple(
        (
            inventory.names[number],
            float((np.float32(values[name]) * level[number] - profile[number]) * job[number]),
        )
        for name, number in numbers.items()
    )
    after = before + sum(change for _, change in moved)
    return WhatIf(before, after, moved)


def stated(profile: Vector, weights: Vector) -> Vector:
    """The entries that skills would have, each as much as the strongest of the profile."""
    amounts = profile / np.maximum(weights, 1e-12)
    most = amounts[profile > 0].max(initial=0)
    return (most if most > 0 else np.float32(1)) * weights


def _named(inventory: Inventory, each: Vector) -> list[tuple[str, float]]:
    found = np.flatnonzero(each > 0)
    order = found[np.argsort(-each[found], kind="stable")]
    return [(inventory.names[number], float(each[number])) for number in order.tolist()]
