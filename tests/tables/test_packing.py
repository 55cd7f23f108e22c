"""Packed codes: exact to the bit, the same in NumPy and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.tables.packing import pack, packed_bytes, unpack


@st.composite
def coded(draw: st.DrawFn) -> tuple[int, np.ndarray]:
    """Bits, and codes of so many bits; any count, none included."""
    bits, rows, count = draw(st.integers(1, 8)), draw(st.integers(0, 3)), draw(st.integers(0, 40))
    drawn = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return bits, drawn.integers(0, 1 << bits, (rows, count)).astype(np.uint8)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(coded())
def test_packing_and_unpacking_returns_the_codes_at_their_exact_size(example):
    bits, codes = example
    packed = pack(codes, bits)
    assert packed.dtype == np.uint8
    assert packed.shape == (len(codes), packed_bytes(bits, codes.shape[1]))
    assert 8 * packed.shape[1] - bits * codes.shape[1] in range(8)
    np.testing.assert_array_equal(unpack(packed, bits, codes.shape[1]), codes)


@settings(max_examples=60, deadline=None)
@given(coded())
def test_packing_is_that_of_a_string_of_bits(example):
    bits, codes = example
    for row, packed in zip(codes, pack(codes, bits), strict=True):
        number = sum(int(code) << bits * place for place, code in enumerate(row))
        assert packed.tobytes() == number.to_bytes(len(packed), "little")


@pytest.mark.slow
@pytest.mark.parametrize("bits", range(1, 9))
def test_jax_packs_the_same_bits_as_numpy(bits: int, strict_dtypes: None):
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (2, 5, 13)).astype(np.uint8)
    packed = jax.jit(pack, static_argnums=1)(jnp.asarray(codes), bits)
    np.testing.assert_array_equal(packed, pack(codes, bits))
    back = jax.jit(unpack, static_argnums=(1, 2))(packed, bits, 13)
    assert back.dtype == jnp.uint8
    np.testing.assert_array_equal(back, codes)


def test_four_codes_of_six_bits_are_three_bytes():
    codes = np.array([[1, 2, 3, 63]], np.uint8)  # 111111 000011 000010 000001, last code first
    np.testing.assert_array_equal(pack(codes, 6), [[0b10000001, 0b00110000, 0b11111100]])


def test_bits_that_a_code_does_not_have_are_left_out():
    np.testing.assert_array_equal(pack(np.array([[5, 255]], np.uint8), 2), [[0b1101]])


@pytest.mark.parametrize("bits", [0, 9])
def test_codes_that_do_not_fit_a_byte_are_refused(bits: int):
    with pytest.raises(ValueError, match=f"1 to 8 bits, got bits={bits}"):
        pack(np.zeros((1, 1), np.uint8), bits)


def test_rows_of_another_length_are_refused():
    with pytest.raises(ValueError, match="4 codes of 6 bits are rows of 3 bytes, got rows of 4"):
        unpack(np.zeros((1, 4), np.uint8), 6, 4)
