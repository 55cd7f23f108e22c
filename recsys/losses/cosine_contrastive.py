"""The cosine contrastive loss of SimpleX."""

import dataclasses

import jax
from jaxtyping import Array, Float

from recsys.losses.retrieval import Scores
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class CosineContrastive:
    """1 - s + weight * mean over negatives max(0, s' - margin), of cosines (Mao et al., "SimpleX",
    CIKM 2021, eq. 1).

    With slack, which is ours, what is often among the candidates may score higher: the margin of a
    negative is margin + slack * log_count. With `Sampling(shift=1)` that has the log of popularity
    in it.
    """

    margin: float = 0.4  # negatives below it have nothing to learn; in [-1, 1)
    weight: float = 150.0  # of all negatives together
    slack: float = 0.0  # by which the margin of a negative rises with each unit of its log_count

    def __post_init__(self):
        if not -1 <= self.margin < 1 or self.weight <= 0:
            raise ValueError(
                "CosineContrastive wants a margin in [-1, 1) and a weight above 0, got "
                f"margin={self.margin}, weight={self.weight}."
            )

    def __call__(self, scores: Scores) -> Float[Array, ""]:
        margin = self.margin + self.slack * scores.log_count[None, :]
        beyond = scores.mean_of_negatives(jax.nn.relu(scores.candidate - margin))
        return scores.mean(1 - scores.target + self.weight * beyond[:, None])
