"""Every method learns the toy task, and every array that it says it trains has a part in that."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array, Float
from sklearn.metrics import roc_auc_score

from recsys.embedding import Vectors
from recsys.features import Batch
from recsys.optim.touched import trained
from recsys.tables.base import EmbeddingTable
from recsys.training import Learner, State
from tests.tables.examples import EXAMPLES
from tests.toy import DIM, Toy, clicks
from tests.training.runs import BATCH, EVERY, RECIPE, batch_of, cases, layout_of, learner

pytestmark = pytest.mark.slow

STEPS = 300
SEEDS = (0, 1, 2)


@functools.cache
def split_of(seed: int) -> tuple[Batch, Batch]:
    """Examples to train on, and others to test on."""
    return clicks(BATCH * 64, seed=10 + seed), clicks(BATCH * 64, seed=100 + seed)


def auc(own: Learner, state: State, seed: int) -> float:
    test = split_of(seed)[1]
    return float(roc_auc_score(test.label, own.predict(state, test)))


class Signed(Toy):
    """The toy model with a product that counts half of the entries against the other half.

    Narrow vectors that only repeat a few numbers cancel out in it: how they are widened matters.
    """

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        signs = jnp.array([[1.0, -1.0] * (DIM // 2)])
        against = (vectors["user"] + vectors["tags"]) * vectors["item"] * (signs - 1.0)
        return super().__call__(vectors, batch) + jnp.sum(against, axis=-1)


def model_of(method: str, layout: str, seed: int = 0) -> Toy:
    return Signed(layout_of(method, layout), seed=seed)


@functools.cache
def signed(method: str, layout: str) -> Learner:
    return Learner(model_of(method, layout), RECIPE)


def start(method: str, layout: str, seed: int) -> State:
    return Learner(model_of(method, layout, seed), RECIPE).start()


@functools.cache
def learned(method: str, layout: str, seed: int) -> tuple[float, State]:
    """The AUC of a method after training, and the state that it got to."""
    own, state = signed(method, layout), start(method, layout, seed)
    for number in range(STEPS):
        state, _ = own.step(state, batch_of(split_of(seed)[0], number))
    return auc(own, state, seed), state


@pytest.mark.parametrize(("method", "layout"), EVERY)
def test_a_method_learns_the_toy_task(method, layout):
    own, state = learner(method, layout), learner(method, layout).start()
    assert abs(auc(own, state, 0) - 0.5) < 0.05
    for number in range(STEPS):
        state, _ = own.step(state, batch_of(split_of(0)[0], number))
    assert auc(own, state, 0) > 0.6


def arrays_of(method: str) -> list[str]:
    """What a method trains: arrays of rows as "rows/name", Params by the attribute that holds them.

    Params of one attribute are taken together: a fixed matrix of one feature can be made up for by
    that of the feature whose vectors it is multiplied with.
    """
    model: Any = nnx.eval_shape(lambda: Toy(layout_of(method, "unified")))
    (table,) = model.embed.tables.values()
    names = {name for number in range(len(table.passes)) for name in trained(table, number)}
    params = {str(path[0]) for path, _ in nnx.to_flat_state(nnx.state(table, nnx.Param))}
    return [f"rows/{name}" for name in sorted(names)] + sorted(params)


def held(kind: type[EmbeddingTable], array: str) -> type[EmbeddingTable]:
    """The table with one array of rows that does not learn: its learning rate is zero."""

    def rate(self, name: str) -> float:
        return 0.0 if f"rows/{name}" == array else kind.rate(self, name)

    return type(kind.__name__ + "Held", (kind,), {"rate": rate})


def learner_without(method: str, array: str) -> Learner:
    """A learner of the method in which one array of rows stays as it starts."""
    if not array.startswith("rows/"):
        return signed(method, "unified")
    model = model_of(method, "unified")
    for table in model.embed.tables.values():
        table.__class__ = held(type(table), array)
    return Learner(model, RECIPE)


def auc_without(own: Learner, method: str, array: str, seed: int) -> float:
    """The AUC when one array of the table does not learn."""
    state = start(method, "unified", seed)
    first = jax.tree.map(np.array, state.params)
    for number in range(STEPS):
        state, _ = own.step(state, batch_of(split_of(seed)[0], number))
        state = dataclasses.replace(state, params=restored(state.params, first, array))
    return auc(own, state, seed)


def restored(params: nnx.State, first: nnx.State, array: str) -> nnx.State:
    """The params with one of the table's as it was first; all of them if it is an array of rows."""

    def choose(path: tuple[Any, ...], late: Any, early: Any) -> Any:
        names = "/".join(str(getattr(key, "key", key)) for key in path)
        return early if f"/{array}/" in f"/{names}/" else late

    return jax.tree_util.tree_map_with_path(choose, params, first)


def floats(own: Learner, state: State, array: str) -> list[np.ndarray]:
    """The arrays of one name as what they mean: rows loaded from codes, Params as they are."""
    (table,) = own.model(state).embed.tables.values()
    if array.startswith("rows/"):
        return [np.array(table.load(table.stored())[array.removeprefix("rows/")])]
    params = nnx.to_flat_state(nnx.state(table, nnx.Param))
    return [np.array(param[...]) for path, param in params if str(path[0]) == array]


@pytest.mark.system
@pytest.mark.parametrize("method", cases(EXAMPLES))
def test_every_array_that_trains_moves_and_the_method_is_better_for_it(method):
    own = signed(method, "unified")
    for array in arrays_of(method):
        first = floats(own, start(method, "unified", 0), array)
        last = floats(own, learned(method, "unified", 0)[1], array)
        for before, after in zip(first, last, strict=True):
            assert np.abs(after - before).max() > 1e-3, array
        without = learner_without(method, array)
        gains = [
            learned(method, "unified", seed)[0] - auc_without(without, method, array, seed)
            for seed in SEEDS
        ]
        assert np.mean(gains) > 0.02, (array, gains)
        assert min(gains) > 0, (array, gains)


def test_a_held_array_does_not_move():
    without = learner_without("hash", "rows/weight")
    state, data = start("hash", "unified", 0), split_of(0)[0]
    first = floats(without, state, "rows/weight")[0]
    for number in range(5):
        state, _ = without.step(state, batch_of(data, number))
    np.testing.assert_array_equal(floats(without, state, "rows/weight")[0], first)
