"""Small runs that many tests look at: each is compiled and trained once in a process."""

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.embedding import Embedding, Vectors
from recsys.features import Batch
from recsys.optim import Adagrad, Adam, RowTraining
from recsys.parallel.mesh import make_mesh
from recsys.tables.base import Keys
from recsys.tables.method import Method
from recsys.training import Learner, Recipe, State
from tests.tables.examples import COMBINATIONS, EXAMPLES
from tests.toy import LAYOUTS, SCHEMA, Toy, clicks, grouped, taller
from tests.training.reference import Reference

BATCH = 96
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
TIMES = 330  # a tall table's values to the toy's: 62,700 of them, which is below 2**16
# Sums start above zero: from zero, Adagrad's first step is a gradient's sign, rounding and all.
RECIPE = Recipe(rows=RowTraining(Adagrad(0.2, initial=1e-4)), dense=Adam(1e-2))


def cases(methods: Iterable[str], *rest: Any) -> list[Any]:
    """Parameters of a test for each method, with the same rest; one worker runs all of a method."""
    return [
        pytest.param(
            *(method, *rest), id="-".join((method, *rest)), marks=pytest.mark.xdist_group(method)
        )
        for method in methods
    ]


UNIFIED = [*cases(EXAMPLES, "unified"), *cases(["full"], "grouped")]
EVERY = [*UNIFIED, *cases(EXAMPLES, "per_feature")]
OF_ROWS = [name for name, method in EXAMPLES.items() if method.has_rows]
WITH_ROWS = [case for case in EVERY if case.values[0] in OF_ROWS]


@dataclasses.dataclass(frozen=True)
class Run:
    """A learner of the toy task, and where it got to."""

    method: str
    layout: str
    learner: Learner
    state: State  # after training; never donated
    data: Batch

    @property
    def model(self) -> Any:
        """The trained model."""
        return self.learner.model(self.state)

    @functools.cached_property
    def reference(self) -> Reference:
        """The slow reference of this learner's step."""
        return Reference(self.learner)

    def step(self, batch: Batch, state: State | None = None):
        """One step from a copy of the state."""
        start = jax.tree.map(jnp.copy, state or self.state)
        return self.learner.compiled_step(start, self.learner.put(batch))


def layout_of(method: str, layout: str):
    """A layout of an example's method, or a combination's, by name."""
    make = grouped if layout == "grouped" else LAYOUTS[layout]
    return make({**EXAMPLES, **COMBINATIONS}[method])


@jax.jit
def look_up(embed: Embedding, batch: Batch) -> tuple[dict[str, Keys], Vectors]:
    """The keys of a batch for each table, and its vectors."""
    return embed.keys(batch), embed(batch)


@jax.jit
def freeze(embed: Embedding) -> Any:
    """The served form."""
    return embed.freeze()


@functools.cache
def learner(
    method: str, layout: str, recipe: Recipe = RECIPE, *, devices: int = 1, seed: int = 0
) -> Learner:
    """A learner of the toy task with a method in a layout; its first call compiles its step."""
    mesh = make_mesh(jax.devices()[:devices])
    return Learner(Toy(layout_of(method, layout), seed=seed), recipe, mesh)


@functools.cache
def run(method: str, layout: str, recipe: Recipe = RECIPE, steps: int = 40) -> Run:
    """The toy model with a method in a layout, trained for some steps on one device."""
    own = learner(method, layout, recipe)
    data = clicks(BATCH * 64)
    state = own.start()
    for number in range(steps):
        state, _ = own.step(state, batch_of(data, number))
    return Run(method, layout, own, state, data)


def tall(method: Any, times: int) -> Any:
    """A method with so many times the rows or values, where it counts them itself."""
    grown: dict[str, Any] = {}
    for name, value in vars(method).items():
        if isinstance(value, Method):
            grown[name] = tall(value, times)
        elif name in ("rows", "values"):
            grown[name] = value * times
    return dataclasses.replace(method, **grown)


@dataclasses.dataclass(frozen=True)
class Program:
    """The compiled step of a tall table, which is nowhere allocated."""

    learner: Learner
    state: State  # shapes
    batch: Batch
    step: jax.stages.Compiled


@functools.cache
def program(method: str, *, times: int, devices: int = 1) -> Program:
    """The step of an example over so many times the values and rows, in one table.

    It is read, not run: what LLVM would make of each instruction is left out.
    """
    schema = taller(SCHEMA, times)
    layout = LAYOUTS["unified"](tall(EXAMPLES[method], times))
    mesh = make_mesh(jax.devices()[:devices])
    own = Learner(lambda: Toy(layout, schema=schema), RECIPE, mesh)
    shapes = jax.tree.map(
        lambda shape, to: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=to),
        jax.eval_shape(own.fresh),
        own.layout,
    )
    batch = own.put(batch_of(clicks(BATCH), 0))
    step = own.compiled_step.lower(shapes, batch).compile(compiler_options=QUICK)
    return Program(own, shapes, batch, step)


def batch_of(data: Batch, number: int) -> Batch:
    """Batch `number` of the data, around and around."""
    return data.take(np.arange(number * BATCH, (number + 1) * BATCH) % len(data))


def narrow(data: Batch) -> Batch:
    """A batch of few values of each feature, repeated often, so that most rows are not read."""
    ranks = [data.low[:, SCHEMA.span(name)] for name in ("user", "item", "tags")]
    is_low = (ranks[0] < 6).all(1) & (ranks[1] < 9).all(1) & (ranks[2] < 8).all(1)
    found = np.flatnonzero(is_low)
    return data.take(np.resize(found, BATCH))
