"""Row optimizers: how a touched row learns from the summed gradient of its reads.

Each is a frozen spec with the slots it keeps (arrays that share the row axis of what they serve)
and one pure update over the touched rows. Rows that no key read are neither read nor written:
what dense training would have done to them meanwhile is made up for by their age, the number of
steps since they were last touched.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from recsys.spec import spec

Slots = dict[str, Array]


class SlotSpec(NamedTuple):
    """The shape and start of a slot."""

    width: int
    initial: float = 0.0


class Touch(NamedTuple):
    """What an update knows of the moment."""

    rate: Float[Array, ""]  # multiplies the learning rate: schedule and the array's own
    step: Int32[Array, ""]  # counted from 1
    age: Float[
        Array, "rows 1"
    ]  # steps since the row was last touched; the first touch counts from 0


@runtime_checkable
class RowOptimizer(Protocol):
    """The contract of a row optimizer."""

    needs_age: bool

    @property
    def learning_rate(self) -> float: ...

    def slots(self, width: int) -> dict[str, SlotSpec]:
        """The state of rows of `width`, by name."""
        ...

    def update(
        self, grad: Float[Array, "rows width"], slots: Slots, touch: Touch
    ) -> tuple[Float[Array, "rows width"], Slots]:
        """What to add to the rows, and their new slots."""
        ...


def refuse_nonsense(optimizer: Any, *shares: str) -> None:
    """Checks a spec of numbers: all finite and not negative, and the named ones below 1.

    Raises:
        ValueError: one of them is not.
    """
    for field in dataclasses.fields(optimizer):
        value, most = getattr(optimizer, field.name), "1" if field.name in shares else "inf"
        if not 0 <= value < float(most):
            raise ValueError(
                f"{type(optimizer).__name__} wants 0 <= {field.name} < {most}, got "
                f"{field.name}={value}: its default is {field.default}."
            )


@spec
@dataclasses.dataclass(frozen=True)
class SGD:
    """Plain stochastic gradient descent; keeps no state."""

    learning_rate: float = 0.1
    needs_age = False

    def __post_init__(self):
        refuse_nonsense(self)

    def slots(self, width: int) -> dict[str, SlotSpec]:
        return {}

    def update(
        self, grad: Float[Array, "rows width"], slots: Slots, touch: Touch
    ) -> tuple[Float[Array, "rows width"], Slots]:
        return -self.learning_rate * touch.rate * grad, slots


@spec
@dataclasses.dataclass(frozen=True)
class RowwiseAdagrad:
    """Adagrad with one sum a row, of the mean squared gradient: 4 bytes of state a row.

    Exact on sparse updates: a row with no gradient would not have moved (Naumov et al., "DLRM",
    2019).
    """

    learning_rate: float = 0.05
    epsilon: float = 1e-8
    initial: float = 0.0  # where the sums start
    decay: float = 1.0  # of the sum at each touch; below 1 the row forgets old gradients
    needs_age = False

    def __post_init__(self):
        refuse_nonsense(self)

    def slots(self, width: int) -> dict[str, SlotSpec]:
        return {"sum": SlotSpec(1, self.initial)}

    def update(
        self, grad: Float[Array, "rows width"], slots: Slots, touch: Touch
    ) -> tuple[Float[Array, "rows width"], Slots]:
        # One sum a row, not one an entry: 1e9 rows x 64 would otherwise carry 256 GB of state.
        total = self.decay * slots["sum"] + jnp.mean(grad * grad, axis=-1, keepdims=True)
        scale = -self.learning_rate * touch.rate * jax.lax.rsqrt(total + self.epsilon)
        return scale * grad, {"sum": total}


@spec
@dataclasses.dataclass(frozen=True)
class Adagrad:
    """One sum an entry (Duchi et al., JMLR 2011)."""

    learning_rate: float = 0.05
    epsilon: float = 1e-8
    initial: float = 0.0
    needs_age = False

    def __post_init__(self):
        refuse_nonsense(self)

    def slots(self, width: int) -> dict[str, SlotSpec]:
        return {"sum": SlotSpec(width, self.initial)}

    def update(
        self, grad: Float[Array, "rows width"], slots: Slots, touch: Touch
    ) -> tuple[Float[Array, "rows width"], Slots]:
        total = slots["sum"] + grad * grad
        scale = -self.learning_rate * touch.rate * jax.lax.rsqrt(total + self.epsilon)
        return scale * grad, {"sum": total}


@spec
@dataclasses.dataclass(frozen=True)
class LazyAdam:
    """Adam (Kingma and Ba, ICLR 2015) whose moments decay for the steps a row was not read.

    Dense Adam decays every row's moments at every step. Here a touched row first decays its own
    by its age, so its moments are those of dense Adam; only the movement that dense Adam makes on
    rows without a gradient is left out. (Without the correction, LazyAdam misses Adam's quality:
    tensorflow#23668.)
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    needs_age = True

    def __post_init__(self):
        refuse_nonsense(self, "beta1", "beta2")

    def slots(self, width: int) -> dict[str, SlotSpec]:
        return {"first": SlotSpec(width), "second": SlotSpec(width)}

    def update(
        self, grad: Float[Array, "rows width"], slots: Slots, touch: Touch
    ) -> tuple[Float[Array, "rows width"], Slots]:
        first = self.beta1**touch.age * slots["first"] + (1 - self.beta1) * grad
        second = self.beta2**touch.age * slots["second"] + (1 - self.beta2) * grad * grad
        step = touch.step.astype(jnp.float32)
        unbiased = jnp.sqrt(second / (1 - self.beta2**step))
        scale = -self.learning_rate * touch.rate / (1 - self.beta1**step)
        return scale * first / (unbiased + self.epsilon), {"first": first, "second": second}


ROW_OPTIMIZERS = {
    "sgd": SGD,
    "rowwise_adagrad": RowwiseAdagrad,
    "adagrad": Adagrad,
    "lazy_adam": LazyAdam,
}
