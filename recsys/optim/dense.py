"""Optimizers of the dense parameters: optax's, named by frozen specs so that a run can be saved
and read back.
"""

import dataclasses
from typing import Protocol, runtime_checkable

import optax

from recsys.optim.rowwise import refuse_nonsense
from recsys.spec import spec


@runtime_checkable
class DenseOptimizer(Protocol):
    """A spec that builds an optax transformation."""

    def build(self) -> optax.GradientTransformation: ...


@spec
@dataclasses.dataclass(frozen=True)
class Adam:
    """optax.adam, or adamw with a weight decay."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0  # decoupled

    def __post_init__(self):
        refuse_nonsense(self)

    def build(self) -> optax.GradientTransformation:
        if self.weight_decay:
            return optax.adamw(self.learning_rate, weight_decay=self.weight_decay)
        return optax.adam(self.learning_rate)


@spec
@dataclasses.dataclass(frozen=True)
class DenseAdagrad:
    """optax.adagrad."""

    learning_rate: float = 0.01
    initial: float = 0.1  # where the sums start
    epsilon: float = 1e-7

    def __post_init__(self):
        refuse_nonsense(self)

    def build(self) -> optax.GradientTransformation:
        return optax.adagrad(self.learning_rate, self.initial, self.epsilon)


@spec
@dataclasses.dataclass(frozen=True)
class DenseSGD:
    """optax.sgd."""

    learning_rate: float = 0.1
    momentum: float = 0.0

    def __post_init__(self):
        refuse_nonsense(self, "momentum")

    def build(self) -> optax.GradientTransformation:
        return optax.sgd(self.learning_rate, self.momentum or None)


DENSE_OPTIMIZERS = {"adam": Adam, "adagrad": DenseAdagrad, "sgd": DenseSGD}
