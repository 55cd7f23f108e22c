"""INT4: two codes a byte by hand, in training as when frozen, and widths that fill whole bytes."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.tables import ALPT, INT4, MDE, Full, Hash
from recsys.tables.base import Field, payload_bytes
from recsys.tables.integer import apart, from_bits, paired
from recsys.tables.method import Method
from tests.toy import as_numpy

pytestmark = pytest.mark.slow

FIELDS = (Field("small", 5, salt=1), Field("large", 700, salt=2))


def stored_row(
    row: list[float],
    noise: float,
    method: Method = INT4(),  # noqa: B008
    *,
    scale: float = 0.0,
) -> dict:
    table = method.build(len(row), FIELDS, rngs=nnx.Rngs(0))
    rows = {"weight": jnp.array([row]), "weight.scale": jnp.full((1, 1), scale)}
    stored = table.store(rows, lambda _: jnp.full((1, len(row)), noise))
    return stored | {"loaded": table.load(stored)["weight"]}


def test_a_row_by_hand():
    """The largest of [7, -3, 0.4, -0.6] / 8 fits 7 codes of 1/8: that is the scale.

    7 and -3 are whole. 0.4 is 0 under noise of 0.5 and 1 under noise of 0.7; -0.6 is -1 + 0.4 and
    goes the same way. The first half of the row counts sixteen-fold: 7 with 0 is 16 * 7 + 0 = 112
    and -3 with -1 is -48 - 1 = -49; then 7 with 1 is 113, and -3 with 0 is -48.
    """
    row = [7 / 8, -3 / 8, 0.4 / 8, -0.6 / 8]
    down, up = stored_row(row, 0.5), stored_row(row, 0.7)
    assert float(from_bits(down["weight.scale"])[0, 0]) == 1 / 8
    np.testing.assert_array_equal(down["weight"], [[112, -49]])
    np.testing.assert_array_equal(up["weight"], [[113, -48]])
    np.testing.assert_array_equal(down["loaded"], [[7 / 8, -3 / 8, 0.0, -1 / 8]])
    np.testing.assert_array_equal(up["loaded"], [[7 / 8, -3 / 8, 1 / 8, 0.0]])


def test_every_pair_of_codes_is_a_byte_of_its_own_that_grows_with_either():
    codes = np.array(list(itertools.product(range(-7, 8), repeat=2)), np.int8)
    pairs = np.asarray(paired(jnp.asarray(codes)))
    assert pairs.dtype == np.int8
    assert pairs.shape == (225, 1)
    np.testing.assert_array_equal(apart(jnp.asarray(pairs)), codes)
    grid = pairs.reshape(15, 15).astype(int)
    assert (np.diff(grid, axis=0) > 0).all()
    assert (np.diff(grid, axis=1) > 0).all()
    np.testing.assert_array_equal(apart(jnp.zeros((1, 3), jnp.int8)), np.zeros((1, 6)))


@pytest.mark.parametrize("method", [INT4(), ALPT(bits=4)], ids=["int4", "alpt"])
def test_half_a_byte_an_entry_in_training_and_frozen(method):
    table = method.build(16, FIELDS, rngs=nnx.Rngs(0))
    (codes,) = (array for name, array in as_numpy(table.stored()) if "scale" not in name)
    assert codes.shape[1] == 8
    assert codes.dtype == np.int8
    scale = {INT4: 2, ALPT: 4}[type(method)]
    assert payload_bytes(table.freeze()) == method.table_bytes(16, FIELDS) == 705 * (8 + scale)


@pytest.mark.parametrize("method", [INT4(), ALPT(bits=4)], ids=["int4", "alpt"])
def test_rows_of_an_odd_width_are_refused(method):
    said = "even width, got a width of 15: use an even dim, or codes of 8 bits"
    for refused in (
        lambda: method.table_bytes(15, FIELDS),
        lambda: method.build(15, FIELDS, rngs=nnx.Rngs(0)),
        lambda: method.within(10**6, 15, FIELDS),
    ):
        with pytest.raises(ValueError, match=said):
            refused()


def test_a_budget_leaves_out_widths_that_do_not_fill_whole_bytes():
    method = INT4(of=MDE())
    dial = method.dial(16, FIELDS)
    widths = {w for n in range(dial.settings) for w in dial.make(n).of.widths(16, FIELDS)}
    assert widths == {2, 4, 8, 16}
    fitted = method.within(dial.make(0).table_bytes(16, FIELDS), 16, FIELDS)
    table = fitted.build(16, FIELDS, rngs=nnx.Rngs(0))
    assert payload_bytes(table.freeze()) == fitted.table_bytes(16, FIELDS)


def test_alpt_with_four_bits_is_cut_at_seven_scales():
    """With a scale of 1/64, [0.125, -0.1, 3, 0] are 8, -6.4, 192 and 0 steps: 8 and 192 are cut."""
    row = [0.125, -0.1, 3.0, 0.0]
    stored = stored_row(row, 0.39, ALPT(bits=4), scale=1 / 64)
    np.testing.assert_array_equal(stored["loaded"], [[7 / 64, -7 / 64, 7 / 64, 0.0]])


def test_a_row_that_starts_is_not_cut():
    stored = stored_row([0.125, -0.1, 3.5, 0.0], 0.5, ALPT(bits=4, initial=1 / 64))
    np.testing.assert_array_equal(stored["loaded"], [[0.0, 0.0, 3.5, 0.0]])


def test_other_widths_of_codes_are_refused():
    with pytest.raises(ValueError, match="ALPT has codes of 4, 8 or 16 bits, got bits=5"):
        ALPT(bits=5)


def test_twice_the_rows_of_int8_and_more_fit_a_budget():
    fields = (Field("text", None, salt=1),)
    budget = Full(initial=0.1).table_bytes(16, FIELDS) // 4
    assert INT4(of=Hash()).within(budget, 16, fields).of == Hash(rows=budget // 10)
