"""What losses of retrieval read: scores of what a user chose, and of what it might have chosen.

Candidates are shared by the whole batch: items drawn for it, what its other users chose, or the
whole catalogue. A user's own items are no negatives to it ("accidental hits").
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from recsys.pytree import pytree


@pytree
@dataclasses.dataclass(frozen=True)
class Scores:
    """Scores of a batch, over temperature where a model has one."""

    target: Float[Array, "batch targets"]  # what each user chose
    is_target: Bool[Array, "batch targets"]  # False is padding
    candidate: Float[Array, "batch candidates"]
    is_negative: Bool[Array, "batch candidates"]  # False: padding, or the user's own
    log_count: Float[Array, " candidates"]  # log of how often it was expected among candidates
    weight: Float[Array, " batch"]  # of each user

    def mean(self, each: Float[Array, "batch targets"]) -> Float[Array, ""]:
        """The weighted mean over targets."""
        weight = jnp.where(self.is_target, self.weight[:, None], 0.0)
        return jnp.sum(each * weight) / jnp.maximum(jnp.sum(weight), 1e-30)

    def mean_of_negatives(self, each: Float[Array, "batch candidates"]) -> Float[Array, " batch"]:
        """The mean over each user's negatives; 0 where there is none."""
        count = jnp.sum(self.is_negative, axis=1, dtype=jnp.float32)
        total = jnp.sum(jnp.where(self.is_negative, each, 0.0), axis=1)
        return total / jnp.maximum(count, 1.0)


@runtime_checkable
class RetrievalLoss(Protocol):
    """A frozen spec of what is to be small."""

    def __call__(self, scores: Scores) -> Float[Array, ""]: ...


def own(
    candidate: UInt32[Array, " candidates"],
    known: UInt32[Array, "batch known"],
    is_known: Bool[Array, "batch known"],
) -> Bool[Array, "batch candidates"]:
    """Which candidates are among the items that each user is known to have met.

    Costs a binary search an item known and no comparison of all pairs.
    """
    ranked = jnp.sort(candidate)
    last = len(candidate) - 1
    place = jnp.searchsorted(ranked, known)
    is_there = is_known & (ranked[jnp.minimum(place, last)] == known)
    user = jnp.broadcast_to(jnp.arange(len(known))[:, None], known.shape)
    marked = jnp.zeros((len(candidate), len(known)), bool)  # whole rows of it are read below
    marked = marked.at[jnp.where(is_there, place, len(candidate)), user].set(True, mode="drop")
    return marked[jnp.searchsorted(ranked, candidate)].T  # equals stand at the first of them


def over_targets(scores: Scores, each: "Pairwise") -> Float[Array, "batch targets"]:
    """A loss of pairs: for each target its mean over the user's negatives, target by target."""

    def of_target(target: Float[Array, " batch"]) -> Float[Array, " batch"]:
        return scores.mean_of_negatives(each(target[:, None], scores.candidate))

    return jax.lax.map(jax.checkpoint(of_target), scores.target.T).T


class Pairwise(Protocol):
    """A loss of a target's score and a negative's."""

    def __call__(
        self, target: Float[Array, "batch 1"], negative: Float[Array, "batch candidates"]
    ) -> Float[Array, "batch candidates"]: ...
