"""Hashing: the published vectors of Philox, our own golden rows, and what chance would give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from recsys.features import (
    Words,
    bucket,
    fingerprint,
    join,
    philox,
    salt,
    split,
    uniform,
)
from recsys.features.hashing import ROWS_LIMIT

# Random123's published vectors of philox2x32: rounds, counter (low, high), key, output (low, high).
KNOWN_ANSWERS = [
    (7, 0x00000000, 0x00000000, 0x00000000, 0x257A3673, 0xCD26BE2A),
    (7, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xAB302C4D, 0x3DC9D239),
    (7, 0x243F6A88, 0x85A308D3, 0x13198A2E, 0xBEDBBE6B, 0xE4C770B3),
    (10, 0x00000000, 0x00000000, 0x00000000, 0xFF1DAE59, 0x6CD10DF2),
    (10, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0x2C3F628B, 0xAB4FD7AD),
    (10, 0x243F6A88, 0x85A308D3, 0x13198A2E, 0xDD7CE038, 0xF62A4C12),
]
# These move only if every trained table may be thrown away: fingerprint, salt, rows, row.
GOLDEN_ROWS = [
    (0x0000000000000000, 0x00000000, 1_000, 425),
    (0x0000000000000001, 0x00000000, 1_000, 371),
    (0x0000000000000001, 0x00000001, 1_000, 957),
    (0x0123456789ABCDEF, 0xDEADBEEF, 4_000_000, 1_262_365),
    (0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF, 2_147_483_647, 1_437_068_245),
    (0x0000000100000000, 0x00000007, 97, 40),
]
KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=8, max_size=8)  # one size: one compilation
SALTS = st.integers(0, 2**32 - 1)
ROWS = st.integers(1, ROWS_LIMIT)


def words(keys: list[int]) -> Words:
    return split(np.array(keys, np.uint64))


def rows_of(fingerprints: np.ndarray, salt: int, rows: int) -> np.ndarray:
    return np.asarray(bucket(*split(fingerprints), salt, rows))


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    """Fingerprints of sequential ids, the commonest keys of all."""
    return fingerprint(np.arange(50_000))


def surprise(counts: np.ndarray) -> float:
    """The probability that fair buckets are as uneven as these (chi-square)."""
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize(("rounds", "low", "high", "key", "new_low", "new_high"), KNOWN_ANSWERS)
@pytest.mark.parametrize("array", [np.array, jnp.array])
def test_philox_gives_the_published_vectors(array, rounds, low, high, key, new_low, new_high):
    counter = (array([high], np.uint32), array([low], np.uint32))
    mixed = philox(*counter, key, rounds=rounds)
    assert (int(mixed.low[0]), int(mixed.high[0])) == (new_low, new_high)


@pytest.mark.parametrize(("key", "salt", "rows", "row"), GOLDEN_ROWS)
def test_rows_are_the_golden_ones(key, salt, rows, row):
    assert int(bucket(*words([key]), salt, rows)[0]) == row


@example(keys=list(range(1000)), salt=0, rows=ROWS_LIMIT)  # where the lower word often carries
@given(keys=KEYS, salt=SALTS, rows=ROWS)
def test_rows_are_the_high_part_of_an_exact_product(keys, salt, rows):
    mixed = join(philox(*words(keys), salt)).tolist()
    exact = [value * rows >> 64 for value in mixed]
    assert bucket(*words(keys), salt, rows).tolist() == exact


@pytest.mark.slow
@settings(deadline=None)  # the first example compiles
@given(keys=KEYS, salt=SALTS, rows=ROWS)
def test_numpy_and_jax_give_the_same_bits(keys, salt, rows):
    host = words(keys)
    with jax.numpy_dtype_promotion("strict"):
        device = Words(*map(jnp.asarray, host))
        row, noise = bucket(*device, salt, rows), uniform(*device, salt)
        mixed = jax.jit(philox)(*device, jnp.uint32(salt))
    assert (row.dtype, noise.dtype) == (jnp.int32, jnp.float32)
    assert np.array_equal(row, bucket(*host, salt, rows))
    assert np.array_equal(noise, uniform(*host, salt))
    assert np.array_equal(join(mixed), join(philox(*host, salt)))


@pytest.mark.slow
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_salt_and_rows_may_differ_by_place(array):
    keys = array(np.arange(12, dtype=np.uint32).reshape(4, 3))
    salts, rows = array(np.array([7, 8, 9], np.uint32)), array(np.array([10, 100, 1000], np.int32))
    together = bucket(keys, keys, salts, rows)
    for place in range(3):
        alone = bucket(keys[:, place], keys[:, place], 7 + place, 10 ** (1 + place))
        assert np.array_equal(together[:, place], alone)


@pytest.mark.parametrize("rows", [0, -1, 2**31])
def test_impossible_rows_are_refused(rows):
    with pytest.raises(ValueError, match=f"got rows={rows}"):
        bucket(*words([1]), 0, rows)


@pytest.mark.parametrize("rows", [10, 97, 1000, 4096])
def test_sequential_ids_fill_the_rows_evenly(ids, rows):
    counts = np.bincount(rows_of(ids, salt("ids"), rows), minlength=rows)
    assert len(counts) == rows
    assert 1e-3 < surprise(counts) < 1 - 1e-3  # neither clumped nor suspiciously regular


@pytest.mark.parametrize("rows", [10, 97, 1000])
def test_texts_fill_the_rows_evenly(rows):
    texts = [f"https://example.org/item?id={number}" for number in range(30_000)]
    counts = np.bincount(rows_of(fingerprint(texts), salt("texts"), rows), minlength=rows)
    assert 1e-3 < surprise(counts) < 1 - 1e-3


def test_ranks_fill_the_rows_evenly_though_their_high_word_is_zero():
    ranks = np.arange(200_000, dtype=np.uint32)
    counts = np.bincount(bucket(np.zeros_like(ranks), ranks, salt("ranks"), 1000), minlength=1000)
    assert 1e-3 < surprise(counts) < 1 - 1e-3


@pytest.mark.parametrize("rows", [2**33 // 5, ROWS_LIMIT - 1, ROWS_LIMIT])
def test_no_row_is_favoured_near_the_limit_of_rows(ids, rows):
    row = rows_of(ids, salt("limit"), rows).astype(np.int64)
    assert 0 <= row.min() <= row.max() < rows
    assert surprise(np.bincount(row * 64 // rows, minlength=64)) > 1e-3
    assert surprise(np.bincount(row % 64, minlength=64)) > 1e-3


def test_a_remainder_of_32_bits_would_favour_rows(ids):
    rows = 2**33 // 5  # 2^32 is 2.5 times as many: the lower half would come 3 times to 2
    row = philox(*split(ids), salt("limit")).low.astype(np.int64) % rows
    assert surprise(np.bincount(row * 64 // rows, minlength=64)) < 1e-9


@pytest.mark.parametrize("other", [salt("a", 1), salt("a") + 1])
def test_pairs_that_share_a_row_under_one_salt_part_under_another(ids, other):
    rows = 1000
    first, second = rows_of(ids, salt("a"), rows), rows_of(ids, other, rows)
    pairs = sum(n * (n - 1) // 2 for n in np.bincount(first).tolist())
    both = sum(n * (n - 1) // 2 for n in np.unique(first * rows + second, return_counts=True)[1])
    expected = pairs / rows
    assert abs(both - expected) < 4 * np.sqrt(expected)  # Poisson


def test_noise_is_uniform_and_belongs_to_its_counter():
    rows, columns = np.meshgrid(np.arange(300, dtype=np.uint32), np.arange(64, dtype=np.uint32))
    noise = np.asarray(uniform(rows, columns, salt("noise", 5)))
    assert noise.min() >= 0
    assert noise.max() < 1
    assert stats.kstest(noise.ravel(), "uniform").pvalue > 1e-3
    assert noise[3, 7] == uniform(rows[3:4, 7:8], columns[3:4, 7:8], salt("noise", 5))[0, 0]
    other = np.asarray(uniform(rows, columns, salt("noise", 6)))
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(noise.size)


@given(KEYS)
def test_join_undoes_split(keys):
    assert join(words(keys)).tolist() == keys


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (np.arange(3), "int64 in NumPy"),
        (np.arange(3.0), "float64 in NumPy"),
        (jnp.arange(3), "int32 in JAX"),
    ],
)
def test_split_refuses_what_is_no_fingerprint(keys, kind):
    with pytest.raises(TypeError, match=rf"got {kind}.*truncates"):
        split(keys)


def test_salts_tell_names_and_lookups_apart():
    names = [("a", 1), ("a1",), ("a", 11), ("a1", 1), ("user",), ("item",)]
    assert len({salt(*name) for name in names}) == len(names)
