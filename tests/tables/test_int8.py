"""INT8: codes and scales by hand, rounding that is right on average, and rows that nothing re-rounds."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.optim import SGD, DenseSGD, RowTraining
from recsys.parallel.mesh import make_mesh
from recsys.tables import ALPT, CAFE, INT8, MDE, Full, Hash
from recsys.tables.base import Context, EmbeddingTable, Field, Rows, payload, payload_bytes
from recsys.tables.int8 import INT8Table, covering_scale
from recsys.training import Learner, Recipe
from recsys.training.step import row_noise
from tests.toy import LAYOUTS, SCHEMA, Toy, as_numpy, clicks
from tests.training.reference import CLOSE, Reference

FIELDS = (Field("small", 5, salt=1), Field("large", 700, salt=2))
INNER = {
    "full": Full(),
    "hash": Hash(rows=100),
    "mde": MDE(alpha=0.5),
    "cafe": CAFE(rows=60),
}
NAMES = ("weight", "weight.scale")


class NearestTable(INT8Table):
    """INT8 with its mechanism off: rows are rounded to the nearest code."""

    def store(self, rows, noise):
        return super().store(rows, lambda name: jnp.full_like(rows[name], 0.5))


class Nearest(INT8):
    """The spec of NearestTable."""

    def wrap(self, inner: EmbeddingTable) -> NearestTable:
        return NearestTable(self, inner)


def built(method, *, dim: int = 4) -> EmbeddingTable:
    return method.build(dim, FIELDS, rngs=nnx.Rngs(0))


def stored_row(row: list[float], noise: list[float], scale: float = 0.0) -> Rows:
    rows = {"weight": jnp.array([row]), "weight.scale": jnp.array([[scale]])}
    return built(INT8()).store(rows, lambda name: jnp.array([noise]))


def drawn(at: list[int], width: int = 4, *, array="weight", step=0, seed=0) -> np.ndarray:
    """The noise of a table for some rows."""
    context = Context(step=jnp.int32(step), seed=jnp.uint32(seed), train=True)
    places = {array: jnp.array(at, jnp.int32)}
    rows = {array: jnp.zeros((len(at), width))}
    return np.asarray(row_noise("table", places, rows, context)(array))


def test_a_new_row_by_hand():
    """The largest of [127, -64, 12.8, 0] / 128 fits 127 codes of 1/128: that is the scale.

    127 and -64 and 0 are whole, so no noise moves them; 12.8 + 0.19 is still 12, and 12.8 + 0.21 is 13.
    """
    row = [127 / 128, -64 / 128, 12.8 / 128, 0.0]
    down = stored_row(row, [0.99, 0.99, 0.19, 0.99])
    up = stored_row(row, [0.99, 0.99, 0.21, 0.99])
    assert float(down["weight.scale"][0, 0]) == 1 / 128
    np.testing.assert_array_equal(down["weight"], [[127, -64, 12, 0]])
    np.testing.assert_array_equal(up["weight"], [[127, -64, 13, 0]])
    loaded = built(INT8()).load(down)["weight"]
    np.testing.assert_array_equal(loaded, [[127 / 128, -0.5, 12 / 128, 0.0]])


def test_a_scale_sticks_until_the_row_outgrows_it_or_leaves_half_of_it():
    """With a scale of 1/128, 127/128 fits and 63/128 is half; 128/128 and 62/128 are not.

    For 128/128 the scale must be 1/127 = 2^-7 * 1.00787: the bfloat16 above is 2^-7 * (1 + 2/128).
    For 62/128 it must be 62/128/127 = 2^-9 * 1.9528: the bfloat16 above is 2^-9 * (1 + 122/128).
    """
    for largest, scale in [
        (127 / 128, 1 / 128),
        (63 / 128, 1 / 128),
        (128 / 128, 2**-7 * (1 + 2 / 128)),
        (62 / 128, 2**-9 * (1 + 122 / 128)),
    ]:
        stored = stored_row([largest, 0.1, 0.0, -0.2], [0.5] * 4, scale=1 / 128)
        assert float(stored["weight.scale"][0, 0]) == scale


@settings(max_examples=200, deadline=None)
@given(largest=st.floats(1e-25, 1e25, width=32))
def test_a_fresh_scale_is_the_smallest_bfloat16_that_covers_the_row(largest):
    scale = np.asarray(covering_scale(jnp.array([[largest]], jnp.float32)))[0, 0]
    assert scale == np.float32(jnp.bfloat16(scale))
    below = (scale.view(np.uint32) - np.uint32(0x10000)).view(np.float32)
    assert 127 * float(below) < largest <= 127 * float(scale)


@settings(max_examples=50, deadline=None)
@given(
    codes=st.lists(st.integers(-127, 127), min_size=4, max_size=4),
    fill=st.sampled_from([63, 80, 127]),
    mantissa=st.integers(128, 255),
    exponent=st.integers(-60, 20),
    noise=st.lists(st.floats(0, 1, exclude_max=True, width=32), min_size=4, max_size=4),
)
def test_a_row_that_did_not_move_keeps_its_bytes_whatever_the_noise(
    codes, fill, mantissa, exponent, noise
):
    codes = np.clip([fill, *codes[1:]], -fill, fill)
    table = built(INT8())
    stored = {
        "weight": jnp.array([codes], jnp.int8),
        "weight.scale": jnp.array([[mantissa * 2.0**exponent]], jnp.bfloat16),
    }
    again = table.store(table.load(stored), lambda name: jnp.array([noise], jnp.float32))
    for name in NAMES:
        np.testing.assert_array_equal(again[name], stored[name])


def test_a_cleared_row_reads_zero_and_can_learn_again():
    table = built(INT8())
    empty = {"weight": jnp.zeros((1, 4), jnp.int8), "weight.scale": jnp.zeros((1, 1), jnp.bfloat16)}
    loaded = table.load(empty)
    np.testing.assert_array_equal(loaded["weight"], np.zeros((1, 4)))
    same = table.store(loaded, lambda name: jnp.full((1, 4), 0.99))
    np.testing.assert_array_equal(table.load(same)["weight"], np.zeros((1, 4)))
    moved = {**loaded, "weight": loaded["weight"] + 0.5}
    again = table.load(table.store(moved, lambda name: jnp.full((1, 4), 0.5)))
    np.testing.assert_allclose(again["weight"], np.full((1, 4), 0.5), rtol=1 / 127)


def test_rounding_is_right_on_average():
    """Over n draws the mean of a code of fraction f has standard error sqrt(f (1 - f) / n)."""
    draws, at = 4000, [3, 8, 1000]
    fraction = np.array([0.001, 0.1, 0.5, 0.9])
    whole = np.array([[100, -100, 0, 5], [1, -1, 2, -2], [-90, 70, 60, -3]])
    rows = np.float32(whole + fraction)
    stick = np.full((3, 1), 127, np.float32)  # keeps the scale of 1
    table = built(INT8(), dim=4)

    def codes(step):
        context = Context(step=step, seed=jnp.uint32(5), train=True)
        noise = row_noise("table", {"weight": jnp.array(at)}, {"weight": jnp.array(rows)}, context)
        wide = {"weight": jnp.concatenate([rows, stick], axis=1), "weight.scale": jnp.ones((3, 1))}
        stored = table.store(wide, lambda name: jnp.pad(noise(name), ((0, 0), (0, 1))))
        return stored["weight"][:, :4]

    mean = np.asarray(jax.vmap(codes)(jnp.arange(draws)), np.float64).mean(axis=0)
    error = np.sqrt(fraction * (1 - fraction) / draws)
    assert (np.abs(mean - (whole + fraction)) < 4 * error).all()


def test_noise_belongs_to_seed_step_array_row_and_column():
    here = drawn([7, 9])
    np.testing.assert_array_equal(drawn([5, 9, 2, 7])[[3, 1]], here)  # wherever a row is read
    np.testing.assert_array_equal(drawn([7, 9], 6)[:, :4], here)
    others = [
        drawn([8, 10]),
        drawn([7, 9], step=1),
        drawn([7, 9], seed=1),
        drawn([7, 9], array="width2"),
        here[::-1],
        here[:, ::-1],
    ]
    for other in others:
        assert (other != here).all()


@pytest.mark.parametrize("method", [INT8, ALPT])
@pytest.mark.parametrize("inner", INNER)
def test_bytes_are_those_reported_and_no_float_copy_stays(method, inner):
    spec = method(of=INNER[inner])
    table = built(spec)
    names = {name for name in table.rows if not name.endswith(".scale")}
    assert {table.rows[name][...].dtype for name in names} == {jnp.int8}
    scales = {table.rows[name + ".scale"][...].dtype for name in names}
    assert scales == {jnp.bfloat16 if method is INT8 else jnp.float32}
    assert set(table.inner.rows) == set()
    assert payload_bytes(table.freeze()) == spec.table_bytes(4, FIELDS)
    floats = built(INNER[inner])
    assert names == set(floats.heights)
    beside = set(payload(table)) - {f"rows/{name}" for name in table.rows}
    assert beside == {f"inner/{name}" for name in payload(floats) if not name.startswith("rows/")}


@pytest.mark.parametrize("inner", INNER)
def test_a_new_table_is_the_inner_one_to_half_a_code(inner):
    floats, table = built(INNER[inner]), built(INT8(of=INNER[inner]))
    loaded = table.load(table.stored())
    for name, row in floats.rows.items():
        exact = np.asarray(row[...])
        wrong = np.abs(np.asarray(loaded[name]) - exact)
        assert (wrong <= np.asarray(loaded[name + ".scale"]) / 2).all()
        largest = np.abs(exact).max(axis=1, keepdims=True)
        assert (wrong <= largest / 127 * 0.51).all()


def test_whole_table_work_of_the_inner_method_leaves_other_rows_their_bytes():
    """An inner table that halves row 3 every so often, as a pruning method might zero it."""

    class Halving(type(built(Full()))):
        period = 5

        def maintain(self, context):
            row = self.rows["weight"]
            row[...] = row[...].at[3].multiply(0.25)
            return {}

    inner = Halving(4, FIELDS, {"weight": built(Full()).rows["weight"][...][:705]})
    table = INT8().wrap(inner)
    assert table.period == 5
    before = table.stored()
    assert table.maintain(Context.still()) == {}
    after, others = table.stored(), np.arange(len(before["weight"])) != 3
    for name in NAMES:
        np.testing.assert_array_equal(after[name][others], before[name][others])
    was, now = (np.asarray(table.load(rows)["weight"][3]) for rows in (before, after))
    np.testing.assert_allclose(now, was / 4, atol=np.abs(was).max() / 4 / 127)
    assert set(table.inner.rows) == set()


def test_rows_that_are_codes_already_are_refused():
    with pytest.raises(ValueError, match="INT8 stores the float rows of another method, got ALPT"):
        INT8(of=ALPT())


def test_a_budget_sets_the_inner_method():
    fitted = INT8(of=Hash()).within(6000, 4, FIELDS)
    assert fitted == INT8(of=Hash(rows=1000 if fitted.of.rows == 1000 else 705))
    assert INT8(of=Hash()).within(600, 4, FIELDS) == INT8(of=Hash(rows=100))
    mde = INT8(of=MDE())
    dial = mde.dial(16, FIELDS)
    costs = [dial.make(n).table_bytes(16, FIELDS) for n in range(dial.settings)]
    assert costs == sorted(costs)
    assert {type(dial.make(n).of) for n in range(dial.settings)} == {MDE}


def losses(method, *, steps: int = 300) -> tuple[float, float]:
    """Of the toy task, before and after training the rows alone, by updates far below a code."""
    recipe = Recipe(rows=RowTraining(SGD(0.03)), dense=DenseSGD(0.0))
    learner = Learner(Toy(LAYOUTS["unified"](method)), recipe)
    state, data = learner.start(), clicks(4096)
    first = _loss(learner, state, data)
    for number in range(steps):
        state, _ = learner.step(state, data.take(np.arange(number * 128, number * 128 + 128) % 4096))
    return first, _loss(learner, state, data)


def _loss(learner, state, data) -> float:
    logit = np.asarray(learner.predict(state, data), np.float64)
    return float(np.mean(np.logaddexp(0, logit) - data.label * logit))


def test_small_updates_add_up_and_are_lost_without_stochastic_rounding():
    floats = Full(initial=0.5)  # codes of 1/254, and an update moves an entry by a tenth of that
    (start, end), (start8, end8), (start0, end0) = (
        losses(method) for method in (floats, INT8(of=floats), Nearest(of=floats))
    )
    gain = start - end
    assert gain > 0.002
    assert start8 - end8 > 0.8 * gain
    assert start0 - end0 < 0.2 * gain


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of", [Full(), Hash(rows=120)], ids=["full", "hash"])
@pytest.mark.parametrize("method", [INT8, ALPT])
def test_one_step_agrees_on_one_and_on_eight_devices(method, of, layout):
    """Codes may differ only where the unrounded value lies within 1e-5 of a boundary."""
    data, ends = clicks(96 * 4), []
    for devices in (1, 8):
        learner = Learner(
            Toy(LAYOUTS[layout](method(of=of))), Recipe(), make_mesh(jax.devices()[:devices])
        )
        if devices == 1:
            common = learner.start()
            for number in range(3):
                common, _ = learner.step(common, data.take(np.arange(96 * number, 96 * number + 96)))
            expected = Reference(learner).step(common, data.take(np.arange(288, 384)))
        start = jax.tree.map(lambda x, to: jax.device_put(np.asarray(x), to), common, learner.layout)
        state, report = learner.step(start, data.take(np.arange(288, 384)))
        assert report.is_finite
        ends.append(learner.model(state).embed.tables)
    for name, table in ends[0].items():
        one, eight = table.stored(), ends[1][name].stored()
        for array in one:
            if array.endswith(".scale"):
                close = dict(rtol=CLOSE if method is ALPT else 0)
                np.testing.assert_allclose(*(np.float32(x[array]) for x in (one, eight)), **close)
                continue
            low, high = expected.lowest[name][array], expected.highest[name][array]
            is_safe = np.asarray(low == high)
            assert is_safe.mean() > 0.99
            np.testing.assert_array_equal(np.where(is_safe, one[array], 0), np.where(is_safe, eight[array], 0))


def test_rows_that_nobody_reads_keep_their_bytes_for_many_steps():
    learner = Learner(Toy(LAYOUTS["unified"](INT8())))
    data = clicks(2000)
    few = data.take(np.flatnonzero((data.low[:, :5] < 10).all(axis=1))[:32])
    state = learner.start()
    first = learner.model(state).embed.tables["unified"].stored()
    key = learner.model(state).embed.keys(few)["unified"]
    read = np.unique(learner.model(state).embed.tables["unified"].address(key)["weight"])
    first = {name: np.array(array) for name, array in first.items()}
    for _ in range(10):
        state, _ = learner.step(state, few)
    last = learner.model(state).embed.tables["unified"].stored()
    unread = ~np.isin(np.arange(len(first["weight"])), read)
    for name in NAMES:
        np.testing.assert_array_equal(np.asarray(last[name])[unread], first[name][unread])
        assert (np.asarray(last[name])[~unread] != first[name][~unread]).any()
