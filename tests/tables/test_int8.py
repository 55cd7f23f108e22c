"""INT8: codes and scales by hand, rounding right on average, and rows that nothing re-rounds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.optim import SGD, DenseSGD, RowTraining
from recsys.tables import INT8, Full
from recsys.tables.base import Context, EmbeddingTable, Field, Rows
from recsys.tables.integer import IntegerTable, covering_scale, from_bits, to_bits
from recsys.training import Learner, Recipe
from recsys.training.passes import row_noise
from tests.toy import LAYOUTS, Toy, clicks

pytestmark = pytest.mark.slow

FIELDS = (Field("small", 5, salt=1), Field("large", 700, salt=2))
NAMES = ("weight", "weight.scale")


class NearestTable(IntegerTable):
    """INT8 with its mechanism off: rows are rounded to the nearest code."""

    def store(self, rows, noise):
        return super().store(rows, lambda name: jnp.full_like(rows[name], 0.5))


class Nearest(INT8):
    """The spec of NearestTable."""

    def wrap(self, inner: EmbeddingTable) -> NearestTable:
        return NearestTable(self, inner)


@functools.cache
def built(method: INT8) -> EmbeddingTable:
    return method.build(4, FIELDS, rngs=nnx.Rngs(0))


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

    127, -64 and 0 are whole, so no noise moves them; 12.8 + 0.19 is still 12, 12.8 + 0.21 is 13.
    """
    row = [127 / 128, -64 / 128, 12.8 / 128, 0.0]
    down = stored_row(row, [0.99, 0.99, 0.19, 0.99])
    up = stored_row(row, [0.99, 0.99, 0.21, 0.99])
    assert float(from_bits(down["weight.scale"])[0, 0]) == 1 / 128
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
        assert float(from_bits(stored["weight.scale"])[0, 0]) == scale


@settings(max_examples=200, deadline=None)
@given(largest=st.floats(2**-80, 2**80, width=32) | st.integers(128, 255).map(lambda m: 127.0 * m))
def test_a_fresh_scale_is_the_smallest_bfloat16_that_covers_the_row(largest):
    scale = np.asarray(covering_scale(jnp.array([[largest]], jnp.float32), bits=8))[0, 0]
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
        "weight.scale": to_bits(jnp.array([[mantissa * 2.0**exponent]], jnp.float32)),
    }
    again = table.store(table.load(stored), lambda name: jnp.array([noise], jnp.float32))
    for name in NAMES:
        np.testing.assert_array_equal(again[name], stored[name])


def test_a_cleared_row_reads_zero_and_can_learn_again():
    table = built(INT8())
    empty = {"weight": jnp.zeros((1, 4), jnp.int8), "weight.scale": jnp.zeros((1, 1), jnp.uint16)}
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
    table = built(INT8())

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


def losses(method, *, steps: int = 300) -> tuple[float, float]:
    """Of the toy task, before and after training the rows alone, by updates far below a code."""
    recipe = Recipe(rows=RowTraining(SGD(0.03)), dense=DenseSGD(0.0))
    learner = Learner(Toy(LAYOUTS["unified"](method)), recipe)
    state, data = learner.start(), clicks(4096)
    first = _loss(learner, state, data)
    for number in range(steps):
        state, _ = learner.step(
            state, data.take(np.arange(number * 128, number * 128 + 128) % 4096)
        )
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
