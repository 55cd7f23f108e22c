"""Binary cross-entropy for sampled negatives, calibrated."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from recsys.losses.retrieval import Scores
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class GBCE:
    """-(beta log sigmoid(s) + sum over n negatives log(1 - sigmoid(s'))) / (n + 1), where

    beta = alpha (t (1 - 1 / alpha) + 1 / alpha) and alpha = n / (items - 1) (Petrov and Macdonald,
    "gSASRec", RecSys 2023): what sampling makes a target seem too likely is taken back, wholly at
    t = 1.
    """

    items: int  # of the catalogue
    t: float = 0.75  # in [0, 1]; 0 is plain binary cross-entropy

    def __post_init__(self):
        if self.items < 2 or not 0 <= self.t <= 1:
            raise ValueError(
                "GBCE wants a catalogue of at least 2 items and t in [0, 1], got "
                f"items={self.items}, t={self.t}."
            )

    def __call__(self, scores: Scores) -> Float[Array, ""]:
        count = jnp.sum(scores.is_negative, axis=1, dtype=jnp.float32)
        alpha = jnp.minimum(count / (self.items - 1), 1.0)
        beta = self.t * (alpha - 1) + 1
        negative = count * scores.mean_of_negatives(jax.nn.softplus(scores.candidate))
        each = beta[:, None] * jax.nn.softplus(-scores.target) + negative[:, None]
        return scores.mean(each / (count + 1)[:, None])
