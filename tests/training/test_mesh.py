"""One device and eight: the same step, the same model, and no table ever moved."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from sklearn.metrics import roc_auc_score

from recsys.parallel.placement import place
from recsys.training import State
from tests.tables.examples import EXAMPLES
from tests.tables.test_contract import assert_as_expected
from tests.toy import as_numpy, clicks
from tests.training.runs import (
    OF_ROWS,
    TIMES,
    UNIFIED,
    Run,
    batch_of,
    cases,
    learner,
    narrow,
    program,
    run,
)

pytestmark = pytest.mark.slow

NO_DISCRETE_DECISIONS = {"full", "hash", "mde"}  # the others round, pick codes or promote rows
DEVICES = 8
MOVERS = ("copy", "all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter")
EACH = pytest.mark.parametrize("method", cases(OF_ROWS))  # Params have no height


def on_eight(one: Run) -> State:
    """The state of a run on one device, placed on eight."""
    eight = learner(one.method, one.layout, devices=DEVICES)
    return place(one.state, eight.layout)


@pytest.mark.parametrize(("method", "layout"), UNIFIED)
def test_one_step_from_a_common_state_agrees(method, layout):
    one, eight = run(method, layout), learner(method, layout, devices=DEVICES)
    for batch in (batch_of(one.data, 50), narrow(one.data)):
        expected = one.reference.step(one.state, batch)
        alone, report = one.step(batch)
        together, shared = eight.compiled_step(on_eight(one), eight.put(batch))
        np.testing.assert_allclose(shared, report, rtol=1e-5)
        assert_as_expected(together, expected, eight.model(together).embed.tables)
        assert {str(leaf.dtype) for leaf in jax.tree.leaves(alone.rows)} == {
            str(leaf.dtype) for leaf in jax.tree.leaves(together.rows)
        }
        same_floats(alone, together, tolerance=1e-5)


@functools.cache
def started(method: str, seed: int) -> State:
    """The start of a seed, made on one device."""
    return learner(method, "unified", seed=seed).start()


def same_floats(one: State, other: State, *, tolerance: float) -> None:
    """All that is trained or kept as float32 agrees."""
    for (name, left), (_, right) in zip(as_numpy(one), as_numpy(other), strict=True):
        if left.dtype == np.float32:
            np.testing.assert_allclose(right, left, rtol=tolerance, atol=tolerance, err_msg=name)


def follow(method: str, devices: int, *, seed: int, steps: int = 200) -> tuple[State, float]:
    """The state and the AUC after some steps from the start of a seed."""
    own = learner(method, "unified", devices=devices)
    data, fresh = clicks(96 * 64, seed=10 + seed), clicks(96 * 40, seed=100 + seed)
    state = place(jax.tree.map(jnp.copy, started(method, seed)), own.layout)
    for number in range(steps):
        batch = own.put(batch_of(data, number))
        state, _ = own.step(state, batch)
    return state, float(roc_auc_score(fresh.label, own.predict(state, fresh)))


@pytest.mark.system
@pytest.mark.parametrize("method", cases(sorted(NO_DISCRETE_DECISIONS & set(EXAMPLES))))
def test_floats_agree_over_200_steps_without_discrete_decisions(method):
    (one, _), (eight, _) = (follow(method, devices, seed=0) for devices in (1, DEVICES))
    same_floats(one, eight, tolerance=1e-4)


@pytest.mark.system
@pytest.mark.parametrize("method", cases(sorted(set(EXAMPLES) - NO_DISCRETE_DECISIONS)))
def test_quality_agrees_over_200_steps_with_discrete_decisions(method):
    one, eight = (
        np.mean([follow(method, devices, seed=seed)[1] for seed in range(3)])
        for devices in (1, DEVICES)
    )
    assert abs(one - eight) < 1e-3


def moved_tables(text: str, shapes: set[tuple[int, ...]]) -> list[str]:
    """The copies and collectives of a compiled program that touch an array of one of the shapes."""
    moves = re.compile(rf" ({'|'.join(MOVERS)})(-start|-done)?\(")
    found = []
    for line in text.splitlines():
        sizes = {tuple(map(int, dims.split(","))) for dims in re.findall(r"\w\[([\d,]+)\]", line)}
        if moves.search(line) and sizes & shapes:
            found.append(line.strip())
    return found


def table_shapes(state: State, devices: int) -> set[tuple[int, ...]]:
    """The shapes of all rows and slots, whole and as each device holds them."""
    whole = {leaf.shape for leaf in jax.tree.leaves((state.rows, state.slots))}
    return whole | {(height // devices, *rest) for height, *rest in whole}


@EACH
@pytest.mark.parametrize("devices", [1, DEVICES])
def test_no_copy_and_no_collective_moves_a_table(method, devices):
    """Of tall tables: of one with fewer rows than the batch has reads, XLA may well gather all."""
    own = program(method, times=TIMES, devices=devices)
    shapes = table_shapes(own.state, devices)
    assert min(height for height, *_ in shapes) > 1000
    assert not moved_tables(str(own.step.as_text()), shapes)


def test_a_moved_table_would_be_found(mesh8):
    split, whole = (NamedSharding(mesh8, PartitionSpec(*axes)) for axes in (("rows",), ()))
    table = jax.ShapeDtypeStruct((4096, 8), "float32", sharding=split)
    shapes = {(4096, 8), (512, 8)}
    gathered = jax.jit(lambda table: table * 2, out_shardings=whole).lower(table).compile()
    assert moved_tables(str(gathered.as_text()), shapes)
    kept = jax.jit(lambda table: (table.at[0].set(1.0), table)).lower(table).compile()
    assert moved_tables(str(kept.as_text()), shapes)
