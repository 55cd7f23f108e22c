"""FP16 and BF16: the bits of the formats, rounding up or down by hand, the ends of their range."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from flax import nnx

from recsys.tables import BF16, FP16
from recsys.tables.base import Field

pytestmark = pytest.mark.slow

FIELDS = (Field("only", 30, salt=1),)
FORMATS = {"fp16": (FP16(), np.float16), "bf16": (BF16(), ml_dtypes.bfloat16)}
EACH = pytest.mark.parametrize("name", FORMATS)


def built(name: str):
    return FORMATS[name][0].build(4, FIELDS, rngs=nnx.Rngs(0))


def stored(name: str, row: list[float], noise: float) -> np.ndarray:
    """The row as numbers of the format, read by NumPy from the bits that were stored."""
    bits = built(name).store({"weight": jnp.array([row])}, lambda _: jnp.full((1, 4), noise))
    return np.asarray(bits["weight"]).view(FORMATS[name][1])[0].astype(np.float64)


def test_half_floats_by_hand():
    """Between 1 and 2 they lie 1/1024 apart: 1.25 steps beyond 1 is 1 step, and 0.25 of another.

    Below 2^-14 they are 2^-24 apart, and 0.3 of that is nothing, or one step.
    """
    row = [1 + 1.25 / 1024, -(1 + 1.25 / 1024), 0.3 * 2**-24, 0.0]
    np.testing.assert_array_equal(
        stored("fp16", row, 0.72), [1 + 1 / 1024, -(1 + 1 / 1024), 2**-24, 0]
    )
    np.testing.assert_array_equal(stored("fp16", row, 0.6)[[0, 2]], [1 + 1 / 1024, 0])
    np.testing.assert_array_equal(stored("fp16", row, 0.76)[[0, 2]], [1 + 2 / 1024, 2**-24])


def test_bfloat16_by_hand():
    """Between 1 and 2 they lie 1/128 apart, between 1/64 and 1/32 they lie 1/8192 apart."""
    row = [1 + 3.5 / 128, 1 / 64 + 3.5 / 8192, -1 - 3.5 / 128, 0.0]
    down, up = stored("bf16", row, 0.4), stored("bf16", row, 0.6)
    np.testing.assert_array_equal(down, [1 + 3 / 128, 1 / 64 + 3 / 8192, -1 - 4 / 128, 0])
    np.testing.assert_array_equal(up, [1 + 4 / 128, 1 / 64 + 4 / 8192, -1 - 3 / 128, 0])


@EACH
@pytest.mark.parametrize("noise", [0.0, 0.5, 1 - 2**-24])
def test_every_number_of_the_format_keeps_its_bits_whatever_the_noise(name, noise):
    table = built(name)
    bits = np.arange(2**16, dtype=np.uint16)
    numbers = bits.view(FORMATS[name][1]).astype(np.float32)
    size = np.abs(numbers)
    is_kept = np.isfinite(numbers) & ((size == 0) | (size >= 2.0**-100))
    bits = bits[is_kept][: is_kept.sum() // 4 * 4].reshape(-1, 4)
    loaded = table.load({"weight": jnp.asarray(bits)})["weight"]
    np.testing.assert_array_equal(loaded, bits.view(FORMATS[name][1]).astype(np.float32))
    again = table.store({"weight": loaded}, lambda _: jnp.full(bits.shape, noise, jnp.float32))
    is_zero = np.asarray(loaded) == 0  # of either sign
    np.testing.assert_array_equal(np.asarray(again["weight"])[~is_zero], bits[~is_zero])
    assert is_kept.sum() > 44_000


@EACH
def test_numbers_beyond_the_range_are_the_largest(name):
    largest = {"fp16": 65_504.0, "bf16": float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)}[name]
    row = [3.4e38 * 1.0005, -3.4e38 * 1.0005, largest, 0.0]
    np.testing.assert_array_equal(stored(name, row, 0.99), [largest, -largest, largest, 0])


@EACH
def test_a_cleared_row_reads_zero(name):
    loaded = built(name).load({"weight": jnp.zeros((1, 4), jnp.uint16)})["weight"]
    np.testing.assert_array_equal(loaded, np.zeros((1, 4)))
