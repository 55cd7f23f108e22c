"""Schedules: what learning rates are multiplied by as training goes on, for rows and dense
parameters alike.

A schedule counts the steps that changed something, from 0, warm-up included: `Cosine(steps=10_000)`
ends after 10,000 steps, however many of them the recipe warms up for.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from recsys.spec import spec


@runtime_checkable
class Schedule(Protocol):
    """A frozen spec that says how large the learning rates are at a step."""

    def __call__(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        """The share of the full learning rates at a step, counted from 0."""
        ...


@spec
@dataclasses.dataclass(frozen=True)
class Constant:
    """The full learning rates throughout."""

    def __call__(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        return jnp.float32(1)


@spec
@dataclasses.dataclass(frozen=True)
class Cosine:
    """floor + (1 - floor) (1 + cos(pi t)) / 2, where t goes from 0 to 1 and stays there (Loshchilov
    and Hutter, "SGDR", ICLR 2017, eq. 5, without restarts).
    """

    steps: int  # until the floor is reached
    floor: float = 0.0  # the share of the learning rates that is left then

    def __post_init__(self):
        _refuse_nonsense(self)

    def __call__(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        time = step.astype(jnp.float32)
        return jnp.asarray(optax.cosine_decay_schedule(1.0, self.steps, self.floor)(time))


@spec
@dataclasses.dataclass(frozen=True)
class Linear:
    """From 1 to the floor in a straight line."""

    steps: int  # until the floor is reached
    floor: float = 0.0  # the share of the learning rates that is left then

    def __post_init__(self):
        _refuse_nonsense(self)

    def __call__(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        time = step.astype(jnp.float32)
        return jnp.asarray(optax.linear_schedule(1.0, self.floor, self.steps)(time))


@spec
@dataclasses.dataclass(frozen=True)
class Drops:
    """Constant but for drops by one factor."""

    at: tuple[int, ...]  # the steps that are the first with a smaller rate
    factor: float = 0.1  # what is left at each drop, in [0, 1]

    def __post_init__(self):
        if any(step < 1 for step in self.at) or list(self.at) != sorted(set(self.at)):
            raise ValueError(
                f"Drops wants rising steps of at least 1, got at={self.at}: sort them, each once."
            )
        if not 0 <= self.factor <= 1:
            raise ValueError(
                f"Drops wants a factor in [0, 1], got factor={self.factor}: 0.1 is usual."
            )

    def __call__(self, step: Int32[Array, ""]) -> Float[Array, ""]:
        done = jnp.sum(step >= jnp.asarray(self.at, jnp.int32), axis=0, dtype=jnp.float32)
        return jnp.float32(self.factor) ** done


def _refuse_nonsense(schedule: Cosine | Linear) -> None:
    if schedule.steps < 1 or not 0 <= schedule.floor <= 1:
        raise ValueError(
            f"{type(schedule).__name__} wants at least 1 step and a floor in [0, 1], got "
            f"steps={schedule.steps} and floor={schedule.floor}: give the steps of the whole "
            "training."
        )


SCHEDULES = {"constant": Constant, "cosine": Cosine, "linear": Linear, "drops": Drops}
