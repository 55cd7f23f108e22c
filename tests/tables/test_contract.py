"""What every method must keep to, in every layout: shapes, exact sums, padding, bytes, freezing,
NaN labels.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.optim import SGD, Adagrad, RowTraining, RowwiseAdagrad
from recsys.parallel.placement import place
from recsys.tables import METHODS
from recsys.tables.base import OUT, payload_bytes
from recsys.training import State
from tests.tables.examples import EXAMPLES
from tests.toy import DIM, SCHEMA, as_numpy, poisoned
from tests.training.reference import CLOSE, Expected
from tests.training.runs import (
    BATCH,
    EVERY,
    RECIPE,
    WITH_ROWS,
    Run,
    batch_of,
    cases,
    freeze,
    look_up,
    narrow,
    run,
)

pytestmark = pytest.mark.slow
EACH = pytest.mark.parametrize(("method", "layout"), EVERY)
EACH_WITH_ROWS = pytest.mark.parametrize(("method", "layout"), WITH_ROWS)


@pytest.fixture
def trained(method: str, layout: str) -> Run:
    return run(method, layout)


def assert_as_expected(state: State, expected: Expected, tables) -> None:
    """The state is what the reference left: floats to 1e-5, codes but next to a boundary."""
    for t, table in tables.items():
        for a, stored in table.stored().items():
            here = f"{t}.{a}"
            if stored.dtype == jnp.float32:
                np.testing.assert_allclose(
                    stored, expected.rows[t][a], rtol=CLOSE, atol=CLOSE, err_msg=here
                )
                continue
            actual, one, other = (
                _ordered(x) for x in (stored, expected.lowest[t][a], expected.highest[t][a])
            )
            low, high = np.minimum(one, other), np.maximum(one, other)
            assert ((low <= actual) & (actual <= high)).all(), here
            # Steps of 16 bits are as fine as the tolerance: all of them may be next to a boundary.
            steps = 1 if stored.dtype.itemsize == 2 and a in table.inner.heights else 0
            assert (high - low <= steps).mean() > 0.95, f"{here}: too much is next to a boundary"
    floats = [
        (expected.slots, state.slots),
        (expected.params, state.params),
        (expected.rest, state.rest),
    ]
    for wanted, got in floats:
        for (name, one), (_, other) in zip(as_numpy(wanted), as_numpy(got), strict=True):
            np.testing.assert_allclose(other, one, rtol=CLOSE, atol=CLOSE, err_msg=name)


def _ordered(codes: jax.Array) -> np.ndarray:
    """Codes as numbers that grow with what they mean; the bits of 16-bit floats by their sign."""
    bits = np.asarray(codes)
    if bits.dtype == np.uint16:
        bits = np.where(bits >> 15, -np.int64(bits & 0x7FFF), np.int64(bits))
    return bits.astype(np.float64)


def changed(before: State, after: State) -> dict[str, dict[str, np.ndarray]]:
    """Which rows of each array, or of a slot of it, are not the same bytes any more."""
    rows, late = before.rows["embed"]["tables"], after.rows["embed"]["tables"]
    moved = {}
    for t, arrays in rows.items():
        moved[t] = {}
        for a, array in arrays["rows"].items():
            pairs: list[Any] = [(array[...], late[t]["rows"][a][...])]
            slots = before.slots[t].get(a, {})
            pairs += [(slot, after.slots[t][a][name]) for name, slot in slots.items()]
            moved[t][a] = np.any([_differs(*pair) for pair in pairs], axis=0)
    return moved


def _differs(one: jax.Array, other: jax.Array) -> np.ndarray:
    left, right = (np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1) for x in (one, other))
    return (left != right).any(axis=1)


def test_every_method_has_an_example():
    assert {type(example) for example in EXAMPLES.values()} == set(METHODS.values())
    assert all(type(EXAMPLES[name]) is METHODS[name] for name in EXAMPLES)


@EACH
def test_vectors_have_the_shape_that_was_asked_for(trained: Run):
    batch = batch_of(trained.data, 0)
    embed = trained.model.embed
    keys, vectors = look_up(embed, batch)
    assert {name: vector.shape for name, vector in vectors.items()} == {
        feature.name: (BATCH, DIM) for feature in SCHEMA.categorical
    }
    for name, table in embed.tables.items():
        got = jax.eval_shape(table, keys[name])
        assert got.shape == (*keys[name].low.shape, DIM)
        assert got.dtype == jnp.float32
    assert all(np.isfinite(vector).all() for vector in vectors.values())


@EACH
def test_predicting_is_looking_up(trained: Run):
    batch, model = batch_of(trained.data, 3), trained.model
    np.testing.assert_allclose(
        trained.learner.predict(trained.state, batch),
        model(look_up(model.embed, batch)[1], batch),
        atol=CLOSE,
    )


@EACH
def test_a_step_is_that_of_dense_training(trained: Run):
    for batch in (narrow(trained.data), batch_of(trained.data, 50)):
        expected = trained.reference.step(trained.state, batch)
        state, report = trained.step(batch)
        assert_as_expected(state, expected, trained.learner.model(state).embed.tables)
        np.testing.assert_allclose(report.grad_norm, expected.grad_norm, rtol=CLOSE)


OPTIMIZERS = {
    "adagrad": Adagrad(0.2, initial=0.1),
    "rowwise_adagrad": RowwiseAdagrad(0.2, initial=0.1),
    "sgd": SGD(0.5),
}


@pytest.mark.parametrize(
    ("method", "way", "name"),
    [
        *cases(EXAMPLES, "sort", "rowwise_adagrad"),
        *cases(["full"], "claim", "sgd"),
        *cases(["full"], "sort", "adagrad"),
    ],
)
def test_sums_of_repeats_are_exact_either_way_and_for_every_optimizer(method, way, name):
    optimizer = OPTIMIZERS[name]
    recipe = dataclasses.replace(RECIPE, rows=RowTraining(optimizer), repeats=way, clip_norm=0.05)
    trained = run(method, "unified", recipe, steps=8)
    batch = narrow(trained.data)  # every row is read many times
    expected = trained.reference.step(trained.state, batch)
    state, _ = trained.step(batch)
    assert_as_expected(state, expected, trained.learner.model(state).embed.tables)


@EACH_WITH_ROWS
def test_only_read_rows_move(trained: Run):
    batch = narrow(trained.data)
    expected = trained.reference.step(trained.state, batch)
    moved = changed(trained.state, trained.step(batch)[0])
    for t, arrays in moved.items():
        for a, is_changed in arrays.items():
            touched = np.asarray(expected.touched[t][a])
            assert not is_changed[~touched].any(), f"{t}.{a}"
            assert touched.mean() < 0.5, "the batch was to leave rows alone"
        assert any(is_changed.any() for is_changed in arrays.values()), t


@EACH_WITH_ROWS
def test_nothing_but_read_rows_is_looked_at(trained: Run):
    batch = narrow(trained.data)
    touched = trained.reference.step(trained.state, batch).touched
    poison = jax.tree.map(jnp.copy, trained.state)
    rows = poison.rows["embed"]["tables"]
    for t, arrays in touched.items():
        for a, mask in arrays.items():
            rows[t]["rows"][a][...] = _with_nan(rows[t]["rows"][a][...], mask)
            for name, slot in poison.slots[t].get(a, {}).items():
                poison.slots[t][a][name] = _with_nan(slot, mask)
    poison = place(poison, trained.learner.layout)
    state, report = trained.step(batch, poison)
    clean, _ = trained.step(batch)
    assert report.is_finite
    assert np.isfinite(trained.learner.predict(poison, batch)).all()
    for t, table in trained.learner.model(state).embed.tables.items():
        same = trained.learner.model(clean).embed.tables[t].stored()
        for a, stored in table.stored().items():
            mask = np.asarray(touched[t][a])
            np.testing.assert_array_equal(stored[mask], same[a][mask], err_msg=f"{t}.{a}")
    assert not any(is_changed[~np.asarray(touched[t][a])].any()
                   for t, arrays in changed(poison, state).items()
                   for a, is_changed in arrays.items())  # fmt: skip


def _with_nan(array: jax.Array, kept: jax.Array) -> jax.Array:
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return jnp.where(kept[:, None], array, jnp.full_like(array, jnp.nan))


@EACH
def test_what_lies_under_padding_does_not_matter(trained: Run):
    batch = batch_of(trained.data, 5)
    assert not batch.valid.all()
    garbage = np.random.default_rng(0).integers(0, 2**32, batch.low.shape, np.uint32)
    other = dataclasses.replace(
        batch,
        low=np.where(batch.valid, batch.low, garbage),
        high=np.where(batch.valid, batch.high, garbage[::-1]),
    )
    tables = trained.model.embed.tables
    nobody = dataclasses.replace(other, valid=np.zeros_like(batch.valid))
    keys = look_up(trained.model.embed, nobody)[0]
    read = jax.jit(lambda: {name: tables[name].address(key) for name, key in keys.items()})()
    assert all((np.asarray(rows) == OUT).all() for rows in jax.tree.leaves(read))
    one, _ = trained.step(batch)
    two, _ = trained.step(other)
    for (name, left), (_, right) in zip(as_numpy(one), as_numpy(two), strict=True):
        np.testing.assert_array_equal(left, right, err_msg=name)


@EACH_WITH_ROWS
def test_a_batch_of_padding_alone_changes_no_row(trained: Run):
    batch = batch_of(trained.data, 5)
    empty = dataclasses.replace(batch, valid=np.zeros_like(batch.valid))
    state, report = trained.step(empty)
    assert report.is_finite
    for arrays in changed(trained.state, state).values():
        assert not any(is_changed.any() for is_changed in arrays.values())


@EACH
def test_rows_beyond_the_height_stay_empty(trained: Run):
    fresh = trained.learner.start()
    for t, table in trained.model.embed.tables.items():
        for a, stored in table.stored().items():
            assert not np.asarray(stored, np.float32)[table.heights[a] :].any(), f"{t}.{a}"
            for name, slot in trained.state.slots[t].get(a, {}).items():
                start = fresh.slots[t][a][name]
                np.testing.assert_array_equal(slot[table.heights[a] :], start[table.heights[a] :])


@EACH
def test_freezing_gives_the_same_vectors(trained: Run):
    embed = trained.model.embed
    frozen = freeze(embed)
    for number in (0, 9):
        batch = batch_of(trained.data, number)
        (_, served), (_, vectors) = look_up(frozen, batch), look_up(embed, batch)
        for name, vector in vectors.items():
            np.testing.assert_allclose(served[name], vector, rtol=CLOSE, atol=1e-6, err_msg=name)


@EACH
def test_saved_arrays_are_as_large_as_reported(trained: Run):
    model = trained.model
    for embed in (model.embed, trained.learner.model(trained.learner.start()).embed):
        frozen = freeze(embed).tables
        saved = {name: payload_bytes(table) for name, table in frozen.items()}
        assert saved == {name: plan.table_bytes for name, plan in embed.plans.items()}
        assert sum(saved.values()) == embed.table_bytes
        assert embed.served_bytes == embed.table_bytes + 8 * sum(f.size for f in _fields(embed))


def _fields(embed):
    return [field for plan in embed.plans.values() for field in plan.fields]


@EACH
def test_a_label_that_is_not_a_number_changes_nothing_at_all(trained: Run):
    state, report = trained.step(poisoned(batch_of(trained.data, 2)))
    assert not report.is_finite
    assert int(state.skipped) == int(trained.state.skipped) + 1
    assert int(state.step) == int(trained.state.step) + 1
    counted = dataclasses.replace(state, skipped=trained.state.skipped, step=trained.state.step)
    for (name, before), (_, after) in zip(as_numpy(trained.state), as_numpy(counted), strict=True):
        assert before.tobytes() == after.tobytes(), name


@EACH
def test_a_gradient_that_overflows_changes_nothing_either(trained: Run):
    batch = batch_of(trained.data, 2)
    numbers, label = np.array(batch.numbers), np.array(batch.label)
    numbers[:2], label[:2] = 1e25, (0.0, 1.0)  # one of the two is wrong by far
    state, report = trained.step(dataclasses.replace(batch, numbers=numbers, label=label))
    assert np.isfinite(report.loss)
    assert not report.is_finite
    counted = dataclasses.replace(state, skipped=trained.state.skipped, step=trained.state.step)
    for (name, before), (_, after) in zip(as_numpy(trained.state), as_numpy(counted), strict=True):
        assert before.tobytes() == after.tobytes(), name
