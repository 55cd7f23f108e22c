"""The recipe: everything that can be chosen about training, in one frozen spec."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from recsys.optim.dense import Adam, DenseOptimizer
from recsys.optim.schedules import Constant, Schedule
from recsys.optim.touched import RowTraining
from recsys.parallel.repeats import REPEATS
from recsys.spec import spec
from recsys.tables.base import Context


@spec
@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        rows: how embedding rows learn.
        dense: how everything else learns: a spec of `recsys.optim.dense`, or any optax
            transformation.
        clip_norm: a bound for the norm of all gradients together; 0 is none.
        dropout: share of embedding entries set to zero in training; the rest are scaled up.
        schedule: what the learning rates of both are multiplied by over the steps: a spec of
            `recsys.optim.schedules`.
        warmup: steps over which the learning rates rise from zero; multiplies the schedule.
        repeats: how repeated rows are summed: "auto" or a name of
            `recsys.parallel.repeats.REPEATS`.
        seed: of all randomness in training.
        cache: examples at a time of a batch whose vectors are compared with each other: memory is
            that of so many, the gradient that of all (`recsys.training.cached`); 0 is all at once.
    """

    rows: RowTraining = RowTraining()
    dense: DenseOptimizer | optax.GradientTransformation = Adam()
    clip_norm: float = 0.0
    dropout: float = 0.0
    schedule: Schedule = Constant()
    warmup: int = 0
    repeats: str = "auto"
    seed: int = 0
    cache: int = 0

    def __post_init__(self):
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is a share in [0, 1), got {self.dropout}.")
        least = min(self.clip_norm, self.warmup, self.cache)
        if least < 0 or not 0 <= self.seed < 2**32:
            raise ValueError(
                "A recipe wants clip_norm, warmup and cache of at least 0 and a seed of 32 bits, "
                f"got clip_norm={self.clip_norm}, warmup={self.warmup}, cache={self.cache}, "
                f"seed={self.seed}."
            )
        if self.repeats not in ("auto", *REPEATS):
            known = ", ".join(("auto", *REPEATS))
            raise ValueError(f"Unknown way of summing repeats {self.repeats!r}: known are {known}.")

    @property
    def way(self) -> str:
        """How repeated rows are summed on this backend: on a GPU without contended atomics."""
        if self.repeats != "auto":
            return self.repeats
        return "sort" if jax.default_backend() == "gpu" else "claim"

    @property
    def dense_optimizer(self) -> optax.GradientTransformation:
        if isinstance(self.dense, optax.GradientTransformation):
            return self.dense
        return self.dense.build()

    def clip(self, norm: Float[Array, ""]) -> Float[Array, ""]:
        """What gradients are multiplied by to keep to `clip_norm`."""
        if not self.clip_norm:
            return jnp.float32(1)
        return jnp.minimum(1.0, self.clip_norm / jnp.maximum(norm, 1e-30))

    def rate(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        """What learning rates are multiplied by at a step, counted from 0."""
        rate = self.schedule(step)
        if not self.warmup:
            return rate
        return rate * jnp.minimum(1.0, (step + 1).astype(jnp.float32) / self.warmup)

    def drop(self, vectors: dict[str, Any], context: Context) -> dict[str, Any]:
        """Vectors with entries dropped at random."""
        if not self.dropout:
            return vectors
        kept = 1 - self.dropout
        masks = {
            name: jax.random.bernoulli(jax.random.fold_in(context.rng, number), kept, v.shape)
            for number, (name, v) in enumerate(sorted(vectors.items()))
        }
        return {name: jnp.where(masks[name], v / kept, 0.0) for name, v in vectors.items()}
