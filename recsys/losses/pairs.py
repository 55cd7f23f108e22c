"""Losses of pairs: a target shall score above a negative."""

import dataclasses

import jax
from jaxtyping import Array, Float

from recsys.losses.retrieval import Scores, over_targets
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class BPR:
    """-log sigmoid(s - s'), the mean over negatives (Rendle et al., UAI 2009)."""

    def __call__(self, scores: Scores) -> Float[Array, ""]:
        def each(target, negative):
            return jax.nn.softplus(negative - target)

        return scores.mean(over_targets(scores, each))


@spec
@dataclasses.dataclass(frozen=True)
class Hinge:
    """max(0, margin - s + s'), the mean over negatives."""

    margin: float = 1.0  # by which a target shall be above a negative

    def __post_init__(self):
        if self.margin <= 0:
            raise ValueError(f"Hinge wants a margin above 0, got {self.margin}: 1.0 is usual.")

    def __call__(self, scores: Scores) -> Float[Array, ""]:
        def each(target, negative):
            return jax.nn.relu(self.margin - target + negative)

        return scores.mean(over_targets(scores, each))
