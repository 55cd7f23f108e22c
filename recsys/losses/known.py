"""Losses of what is known to be there, where of all else nobody knows: positive-unlabelled.

A person who did not write down a skill may well have it, so absence is no label. Both losses take
it as what it is: one only wants what is known above what is not, the other counts on some of the
unknown being there.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from recsys.spec import spec


@runtime_checkable
class KnownLoss(Protocol):
    """A frozen spec of what is to be small, of each document; 0 where nothing is known."""

    def __call__(
        self, logit: Float[Array, "documents skills"], grade: Float[Array, "documents skills"]
    ) -> Float[Array, " documents"]: ...


@spec
@dataclasses.dataclass(frozen=True)
class KnownSoftmax:
    """The mean over known skills, by grade, of -log(exp(z) / (exp(z) + unknown * sum exp(z'))) over
    the skills z' of which nobody knows.

    A loss of ranks (as the listwise one of Cao et al., ICML 2007, one known skill at a time): what
    is known shall stand above the rest, however high the rest is; known skills do not compete.
    """

    unknown: float = 1.0  # how much each skill that may be there counts

    def __post_init__(self):
        if self.unknown <= 0:
            raise ValueError(f"KnownSoftmax wants unknown above 0, got {self.unknown}: 1 is usual.")

    def __call__(
        self, logit: Float[Array, "documents skills"], grade: Float[Array, "documents skills"]
    ) -> Float[Array, " documents"]:
        others = jnp.where(grade > 0, -jnp.inf, logit)
        most = jax.lax.stop_gradient(jnp.maximum(jnp.max(others, axis=1, keepdims=True), -1e30))
        total = jnp.sum(jnp.exp(others - most), axis=1, keepdims=True)
        log_total = most + jnp.log(jnp.maximum(self.unknown * total, 1e-30))
        return _mean_by_grade(jax.nn.softplus(log_total - logit), grade)


@spec
@dataclasses.dataclass(frozen=True)
class PositiveUnlabelled:
    """mean(l+) + max(0, mean over unknown (l-) / prior - mean(l-)), where l+ = softplus(-z),
    l- = softplus(z), means without a name are over known skills, and prior = times * known / skills
    is the share of all skills that a document is thought to have.

    The non-negative risk of Kiryo et al. (NeurIPS 2017, eq. 6) over the prior: known skills are
    taken out of the unknown again as often as they are expected among them.
    """

    times: float = 2.0  # skills that a document has for each that is known of it

    def __post_init__(self):
        if self.times < 1:
            raise ValueError(f"PositiveUnlabelled wants times of at least 1, got {self.times}.")

    def __call__(
        self, logit: Float[Array, "documents skills"], grade: Float[Array, "documents skills"]
    ) -> Float[Array, " documents"]:
        is_known = grade > 0
        known = jnp.sum(is_known, axis=1, dtype=jnp.float32)
        skills = jnp.float32(logit.shape[1])
        absent = jax.nn.softplus(logit)
        unknown = jnp.sum(jnp.where(is_known, 0.0, absent), axis=1) / jnp.maximum(skills - known, 1)
        prior = jnp.minimum(self.times * jnp.maximum(known, 1) / skills, 1.0)
        there = _mean_by_grade(jax.nn.softplus(-logit), grade)
        taken = unknown / prior - _mean_by_grade(absent, grade)
        return jnp.where(known > 0, there + jax.nn.relu(taken), 0.0)


def _mean_by_grade(
    each: Float[Array, "documents skills"], grade: Float[Array, "documents skills"]
) -> Float[Array, " documents"]:
    total = jnp.sum(jnp.where(grade > 0, each * grade, 0.0), axis=1)
    return total / jnp.maximum(jnp.sum(grade, axis=1), 1e-30)
