"""CAFE in training: what moves with a promoted value, what hot rows are worth, what they cost."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import DCN
from recsys.optim import Adagrad, LazyAdam, RowTraining
from recsys.parallel.mesh import make_mesh
from recsys.tables import CAFE, INT8, Hash
from recsys.tables.base import Field, Keys, Span, payload_bytes
from recsys.tables.cafe import CAFETable
from recsys.tables.hash import hashed
from recsys.tables.method import Method
from recsys.training import Learner, Recipe
from tests.toy import DIM, LAYOUTS, Toy, as_numpy, clicks, poisoned
from tests.training.runs import BATCH, batch_of, learner, run

pytestmark = pytest.mark.slow

PATIENT = CAFE(rows=120, share=0.5, ways=4, candidates=6, threshold=4.0, every=1000)


def every_value(table: CAFETable) -> Keys:
    """Each value of the toy's features, one an example; the other places are padding."""
    sizes = [field.size for field in table.fields]
    field = np.repeat(np.arange(len(sizes)), sizes)
    low = np.zeros((len(field), len(sizes)), np.uint32)
    low[np.arange(len(field)), field] = np.concatenate([np.arange(size) for size in sizes])
    valid = field[:, None] == np.arange(len(sizes))
    spans = tuple(Span(number, number, number + 1) for number in range(len(sizes)))
    return Keys(jnp.zeros(low.shape, jnp.uint32), jnp.asarray(low), jnp.asarray(valid), spans)


def rows_of(table: CAFETable) -> tuple[np.ndarray, np.ndarray]:
    """The row that each value of the toy's features reads, and the one that it would share."""
    key = every_value(table)
    valid = np.asarray(key.valid)
    shared = np.asarray(hashed(key, table.fields, table.spec.shared))
    return np.asarray(table.address(key)["weight"])[valid], shared[valid]


@pytest.mark.parametrize("optimizer", [LazyAdam(0.05), Adagrad(0.2)], ids=["adam", "adagrad"])
def test_a_promoted_value_takes_its_row_and_its_slots_along(optimizer):
    recipe = Recipe(rows=RowTraining(optimizer, average=0.9))
    own = Learner(Toy(Unified(PATIENT, DIM)), recipe)
    state, data = own.start(), clicks(BATCH * 16)
    seen = 0
    for number in range(12):
        before, _ = rows_of(own.model(state).embed.tables["unified"])
        state, _ = own.step(state, batch_of(data, number))
        table = own.model(state).embed.tables["unified"]
        after, shared = rows_of(table)
        new = (after != before) & (after >= PATIENT.shared)
        assert ((after == before) | (after == shared))[~new].all()  # the rest, or driven out
        seen += new.sum()
        arrays = {"row": table.stored()["weight"], **state.slots["unified"]["weight"]}
        assert len(arrays) > 2
        for name, array in arrays.items():
            moved = np.asarray(array)[after[new]]
            np.testing.assert_array_equal(moved, np.asarray(array)[shared[new]], err_msg=name)
            assert (moved != 0).any(axis=1).all(), name
    assert seen > 20


def test_hot_rows_move_with_their_scales_under_int8():
    method = INT8(of=PATIENT)
    own = Learner(Toy(Unified(method, DIM)), Recipe(rows=RowTraining(Adagrad(0.2))))
    state, data = own.start(), clicks(BATCH * 8)
    seen = 0
    table = own.model(state).embed.tables["unified"]
    for number in range(6):
        before, _ = rows_of(table.inner)
        state, _ = own.step(state, batch_of(data, number))
        table = own.model(state).embed.tables["unified"]
        after, shared = rows_of(table.inner)
        new = (after != before) & (after >= PATIENT.shared)
        seen += new.sum()
        for name, array in table.stored().items():
            codes = np.asarray(array, np.float32)
            np.testing.assert_array_equal(codes[after[new]], codes[shared[new]], err_msg=name)
            assert codes[after[new]].any(axis=1).all()
    assert seen > 10
    frozen = own.model(state).embed.freeze().tables["unified"]
    assert payload_bytes(frozen) == method.table_bytes(DIM, table.fields)
    np.testing.assert_array_equal(frozen(every_value(table)), table(every_value(table)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_eight_devices_note_the_same(layout):
    one, eight = run("cafe", layout), learner("cafe", layout, devices=8)
    batch = batch_of(one.data, 50)
    alone, _ = one.step(batch)
    # A copy of one's own: to a mesh, device_put may hand on the buffer that the step will donate.
    start = jax.device_put(jax.tree.map(jnp.copy, one.state), eight.layout)
    together, _ = eight.compiled_step(start, eight.put(batch))
    noted = as_numpy(alone.rest)
    changed = 0
    for before, (name, left), (_, right) in zip(
        as_numpy(one.state.rest), noted, as_numpy(together.rest), strict=True
    ):
        changed += (before[1] != left).sum()
        if left.dtype == np.uint32:
            np.testing.assert_array_equal(right, left, err_msg=name)
        else:
            np.testing.assert_allclose(right, left, rtol=1e-5, atol=1e-5, err_msg=name)
    assert len(noted) == 5 * len(one.model.embed.tables)  # the sketch and the threshold
    assert changed > 20


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_table_has_hot_values_and_a_skipped_step_promotes_nobody(layout):
    one = run("cafe", layout)
    assert not one.data.valid.all()  # the bag is padded
    for name, table in one.model.embed.tables.items():
        assert (np.asarray(table.sketch.hot_tags) != 0).sum() > 4, name
    state, report = one.step(poisoned(batch_of(one.data, 51)))
    assert not report.is_finite
    for (name, left), (_, right) in zip(
        as_numpy(one.state.rest), as_numpy(state.rest), strict=True
    ):
        np.testing.assert_array_equal(left, right, err_msg=name)


WIDE = Schema((Feature("left"), Feature("right")))  # hashed: no vocabulary anywhere


@functools.cache
def zipf_clicks(count: int, seed: int):
    """Clicks that follow the sum of one number a value; more values than a table holds."""
    values = 30_000
    planted, drawn = np.random.default_rng(7), np.random.default_rng(seed)
    share = 1 / np.arange(1, values + 1) ** 1.1
    read = planted.permutation(values)[drawn.choice(values, (count, 2), p=share / share.sum())]
    effect = planted.normal(size=(values, 2))
    logit = 1.5 * (effect[read[:, 0], 0] + effect[read[:, 1], 1])
    label = drawn.random(count) < 1 / (1 + np.exp(-logit))
    return WIDE.encode({"left": read[:, 0], "right": read[:, 1], "label": label})


def aucs(method: Method, *, steps: int = 200) -> list[float]:
    """AUC on new clicks after one pass over 200 batches, of three draws."""
    model = DCN(WIDE, Unified(method, 8), hidden=(16,)).build(rngs=nnx.Rngs(0))
    own = Learner(model, Recipe(rows=RowTraining(Adagrad(0.1))))
    found, fresh = [], zipf_clicks(20_000, 100)
    for seed in range(3):
        state, data = own.start(), zipf_clicks(256 * steps, seed)
        for step in range(steps):
            state, _ = own.step(state, data.take(slice(256 * step, 256 * (step + 1))))
        found.append(float(roc_auc_score(fresh.label, own.predict(state, fresh))))
    return found


def test_hot_rows_are_worth_their_bytes():
    """Fails without promotions: then the rows that nobody owns are lost, and Hash is better."""
    fields = tuple(Field(feature.name, None, salt=0) for feature in WIDE.features)
    budget = 4 * 8 * 400
    cafe = CAFE(threshold=8.0).within(budget, 8, fields)
    hot, never, plain = (
        aucs(method)
        for method in (
            cafe,
            dataclasses.replace(cafe, threshold=math.inf, every=10**9),
            Hash().within(budget, 8, fields),
        )
    )
    assert cafe.table_bytes(8, fields) <= budget
    assert min(hot) > max(plain) + 0.005
    assert min(hot) > max(never) + 0.03


def cost(devices: int, rows: int):
    """The compiled step of a table of so many rows, and its table."""
    table = CAFE(rows=rows)
    model = DCN(WIDE, Unified(table, 8), hidden=(16,))
    mesh = make_mesh(jax.devices()[:devices])
    own = Learner(lambda: model.build(rngs=nnx.Rngs(0)), Recipe(), mesh)
    batch = own.put(zipf_clicks(20_000, 100).take(slice(0, 64)))
    step: Any = own.compiled_step
    return step.lower(jax.eval_shape(own.fresh), batch).compile(), table


@pytest.mark.parametrize("devices", [1, 8])
def test_a_step_costs_the_same_whatever_the_size_of_the_sketch(devices):
    # Both with more than 2^17 buckets: multiplying by a smaller number costs a hash a little less.
    small, large = (cost(devices, rows)[0] for rows in (2_000_000, 8_000_000))
    assert large.cost_analysis()["flops"] == small.cost_analysis()["flops"]
    assert large.memory_analysis().temp_size_in_bytes == small.memory_analysis().temp_size_in_bytes


def test_no_copy_and_no_collective_moves_the_sketch():
    step, table = cost(8, 500_000)
    moves = ("copy(", "all-reduce(", "all-gather(", "all-to-all(", "collective-permute(")
    lines = [line for line in step.as_text().splitlines() if any(f" {m}" in line for m in moves)]
    assert lines
    assert not [line for line in lines if f"[{table.buckets}," in line]
    assert f"[{table.buckets}," in step.as_text()
