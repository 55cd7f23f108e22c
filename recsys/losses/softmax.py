"""Softmax over candidates: full, sampled or of the batch, corrected for how often each comes up."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from recsys.losses.retrieval import Scores
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class Softmax:
    """-log(exp(s) / (exp(s) + sum over negatives exp(s' - log expected count))).

    A popular item comes up among candidates more than its share; dividing by how often it was
    expected makes the sum an unbiased estimate of that over the catalogue (Bengio and Senécal,
    2008; Yi et al., RecSys 2019, for candidates from the batch). The target itself is there with
    certainty and not corrected. With the whole catalogue as candidates, each expected once, it is
    the full softmax. A user's other items are not in the sum.
    """

    def __call__(self, scores: Scores) -> Float[Array, ""]:
        corrected = scores.candidate - scores.log_count[None, :]
        negatives = jnp.where(scores.is_negative, corrected, -jnp.inf)
        most = jax.lax.stop_gradient(jnp.maximum(jnp.max(negatives, axis=1), -1e30))
        total = jnp.sum(jnp.exp(negatives - most[:, None]), axis=1)
        log_total = most + jnp.log(jnp.maximum(total, 1e-30))
        return scores.mean(jax.nn.softplus(log_total[:, None] - scores.target))
