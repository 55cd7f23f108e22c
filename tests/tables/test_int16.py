"""INT16: codes of 16 bits by hand, and rows that nothing re-rounds."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.tables import INT16
from recsys.tables.base import Field
from recsys.tables.integer import from_bits, to_bits
from recsys.tables.storage import StoredAs
from tests.tables.lookup import built


@pytest.fixture(scope="module")
def table() -> StoredAs:
    return built(INT16(), 4, (Field("only", 30, salt=1),))


@pytest.mark.slow
def test_a_row_by_hand(table):
    """The largest of [32767, -16384, 12.8, 0] / 2^15 fits 32,767 codes of 2^-15: the scale."""
    row = jnp.array([[32_767.0, -16_384.0, 12.8, 0.0]]) / 2**15
    for noise, code in ((0.19, 12), (0.21, 13)):
        rows = {"weight": row, "weight.scale": jnp.zeros((1, 1))}
        stored = table.store(rows, lambda _, noise=noise: jnp.full((1, 4), noise))
        assert float(from_bits(stored["weight.scale"])[0, 0]) == 2.0**-15
        assert stored["weight"].dtype == jnp.int16
        np.testing.assert_array_equal(stored["weight"], [[32_767, -16_384, code, 0]])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    codes=st.lists(st.integers(-32_767, 32_767), min_size=4, max_size=4),
    mantissa=st.integers(128, 255),
    exponent=st.integers(-60, 20),
    noise=st.floats(0, 1, exclude_max=True, width=32),
)
def test_a_row_that_did_not_move_keeps_its_bytes_whatever_the_noise(
    table, codes, mantissa, exponent, noise
):
    stored = {
        "weight": jnp.array([[32_767, *codes[1:]]], jnp.int16),
        "weight.scale": to_bits(jnp.array([[mantissa * 2.0**exponent]], jnp.float32)),
    }
    again = table.store(table.load(stored), lambda _: jnp.full((1, 4), noise, jnp.float32))
    for name, array in stored.items():
        np.testing.assert_array_equal(again[name], array)
