"""DHE: codes that are uniform, of 64-bit keys too; the network by hand; where it starts."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.tables import DHE, INT8
from recsys.tables.base import Field, payload_bytes
from recsys.tables.dhe import MISH_MEAN, MISH_SPREAD, codes
from tests.tables.lookup import built, everyone, keys, look_up

FIELDS = (Field("item", None, salt=1), Field("query", 5000, salt=2))
GOLDEN = [-0.2069292, -0.8951169, 0.3363767]
SMALL = DHE(hashes=6, width=4, layers=2)


def codes_of(first: int, count: int, *, high: int = 0) -> np.ndarray:
    """The codes of many values in both fields, (values, fields, hashes)."""
    low = np.arange(first, first + count).repeat(2).reshape(-1, 2)
    key = keys(low, fields=2)
    key = dataclasses.replace(key, high=key.high + np.uint32(high))
    return np.array(jax.jit(codes, static_argnums=(1, 2))(key, FIELDS, 24))


@pytest.mark.parametrize(("first", "high"), [(0, 0), (2**32 - 20_000, 2**31)])
def test_codes_are_uniform_between_minus_one_and_one_for_small_and_for_large_keys(first, high):
    found = codes_of(first, 20_000, high=high)
    assert (found >= -1).all()
    assert (found < 1).all()
    for place in (0, 1):
        for number in range(24):
            counts, _ = np.histogram(found[:, place, number], 20, (-1, 1))
            assert ((counts - 1000) ** 2 / 1000).sum() < 50  # chi-square of 19 degrees: 19 +- 6


def test_numbers_of_a_code_and_codes_of_two_fields_have_nothing_to_do_with_each_other():
    found = codes_of(0, 20_000).reshape(20_000, 48)
    related = np.corrcoef(found, rowvar=False) - np.eye(48)
    assert np.abs(related).max() < 5 / math.sqrt(20_000)


def test_keys_that_differ_in_their_high_word_alone_have_different_codes():
    related = np.corrcoef(codes_of(0, 2000).ravel(), codes_of(0, 2000, high=1).ravel())[0, 1]
    assert abs(related) < 0.02


def test_codes_are_pinned_since_every_saved_network_depends_on_them():
    np.testing.assert_allclose(codes_of(5, 1)[0, 0, :3], GOLDEN, atol=1e-7)


@pytest.mark.slow
def test_a_vector_is_what_the_network_makes_of_the_code():
    table = built(SMALL, 3, FIELDS)
    signal = np.array(jax.jit(codes, static_argnums=(1, 2))(everyone(9, 2), FIELDS, 6), np.float64)
    for number in ("0", "1", "2"):
        layer = table.layers[number]
        layer.bias[...] = jnp.arange(1.0, 1 + len(layer.bias[...])) / 10
        signal = signal @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])
        if number != "2":
            mish = signal * np.tanh(np.log1p(np.exp(signal)))
            signal = (mish - MISH_MEAN) / MISH_SPREAD
    np.testing.assert_allclose(look_up(table, everyone(9, 2)), signal, rtol=1e-4, atol=1e-6)


def test_mish_of_a_standard_normal_has_the_moments_that_are_taken_out():
    points, weights = np.polynomial.hermite_e.hermegauss(100)
    mish, weights = points * np.tanh(np.log1p(np.exp(points))), weights / weights.sum()
    np.testing.assert_allclose((weights * mish).sum(), MISH_MEAN, atol=1e-4)
    spread = math.sqrt((weights * (mish - MISH_MEAN) ** 2).sum())
    np.testing.assert_allclose(spread, MISH_SPREAD, atol=1e-4)


@pytest.mark.slow
def test_vectors_start_with_the_spread_of_plain_rows_and_as_far_apart():
    vectors = look_up(built(DHE(hashes=256, width=256), 16, FIELDS), everyone(500, 2))
    vectors = vectors.reshape(1000, 16)
    np.testing.assert_allclose(vectors.std(), 0.05 / math.sqrt(3), rtol=0.1)
    np.testing.assert_allclose(vectors.std(axis=0).mean(), vectors.std(), rtol=0.1)


@pytest.mark.slow
def test_bytes_are_those_of_the_network_alone():
    assert SMALL.table_bytes(3, FIELDS) == 4 * ((6 + 1) * 4 + (4 + 1) * 4 + (4 + 1) * 3)
    assert payload_bytes(built(SMALL, 3, FIELDS).freeze()) == SMALL.table_bytes(3, FIELDS)


def test_a_storage_of_rows_and_a_network_of_nothing_are_refused():
    with pytest.raises(ValueError, match="INT8 stores the float rows of another method, got DHE"):
        INT8(of=DHE())
    with pytest.raises(ValueError, match="at least one of each, got hashes=1024, width=0"):
        DHE(width=0)
