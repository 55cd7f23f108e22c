"""Hashing: the published vectors of Philox, our own golden rows, and what chance would give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.features import (
    MISSING,
    Words,
    bucket,
    combine,
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
KEYS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8)
SALTS = st.integers(0, 2**32 - 1)
ROWS = st.integers(1, ROWS_LIMIT)


def words(keys: list[int]) -> Words:
    return split(np.array(keys, np.uint64))


def rows_of(values, salt: int, rows: int) -> np.ndarray:
    high, low = split(fingerprint(values))
    return np.asarray(bucket(high, low, salt, rows))


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


def test_fingerprints_and_salts_are_the_golden_ones():
    assert fingerprint(["", "a", "Äpfel", 42, -1, 0.5, True]).tolist() == [
        0x0000000000000000,
        0xE6C632B61E964E1F,
        0x55DE450D01084DFC,
        0x1217CB28C0EF2191,
        0xBC25A7B612CBA21F,
        0xE1CDB070569256E9,
        0x40BBD512750B7629,
    ]
    assert (salt("user"), salt("user", 1)) == (0x7AF4BCA1, 0xED5EB14F)


@given(keys=KEYS, salt=SALTS, rows=ROWS)
def test_rows_are_the_high_part_of_an_exact_product(keys, salt, rows):
    mixed = join(philox(*words(keys), salt)).tolist()
    exact = [value * rows >> 64 for value in mixed]
    assert bucket(*words(keys), salt, rows).tolist() == exact


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
def test_sequential_ids_fill_the_rows_evenly(rows):
    counts = np.bincount(rows_of(np.arange(200_000), salt("ids"), rows), minlength=rows)
    assert len(counts) == rows
    assert 1e-3 < surprise(counts) < 1 - 1e-3  # neither clumped nor suspiciously regular


@pytest.mark.parametrize("rows", [10, 97, 1000])
def test_texts_fill_the_rows_evenly(rows):
    texts = [f"https://example.org/item?id={number}" for number in range(100_000)]
    counts = np.bincount(rows_of(texts, salt("texts"), rows), minlength=rows)
    assert 1e-3 < surprise(counts) < 1 - 1e-3


def test_ranks_fill_the_rows_evenly_though_their_high_word_is_zero():
    ranks = np.arange(200_000, dtype=np.uint32)
    counts = np.bincount(bucket(np.zeros_like(ranks), ranks, salt("ranks"), 1000), minlength=1000)
    assert 1e-3 < surprise(counts) < 1 - 1e-3


def test_no_row_is_favoured_near_the_limit_of_rows():
    # A remainder of 32 bits would favour the lower rows: 2^32 is 1.5 times as much as these.
    rows = ROWS_LIMIT // 3 * 4 // 2
    row = rows_of(np.arange(300_000), salt("limit"), rows)
    assert row.max() < rows
    assert row.min() >= 0
    assert surprise(np.bincount(row.astype(np.int64) * 64 // rows, minlength=64)) > 1e-3
    assert surprise(np.bincount(row % 64, minlength=64)) > 1e-3


@pytest.mark.parametrize("other", [salt("a", 1), salt("a") + 1])
def test_pairs_that_share_a_row_under_one_salt_part_under_another(other):
    keys, rows = np.arange(20_000), 1000
    first, second = rows_of(keys, salt("a"), rows), rows_of(keys, other, rows)
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


@given(st.lists(st.integers(-(2**80), 2**80)))
def test_integers_and_their_text_have_one_fingerprint(values):
    assert np.array_equal(fingerprint(values), fingerprint([str(value) for value in values]))


@given(st.lists(st.none() | st.text() | st.binary() | st.integers() | st.booleans(), max_size=20))
def test_a_mixed_list_is_hashed_value_by_value(values):
    alone = [int(fingerprint([value])[0]) for value in values]
    assert fingerprint(values).tolist() == alone


@given(st.lists(st.integers(-(2**53) + 1, 2**53 - 1), min_size=1))
def test_a_missing_cell_changes_no_other_fingerprint(values):
    column = np.array([*values, np.nan])
    assert np.array_equal(fingerprint(column)[:-1], fingerprint(np.array(values, np.int64)))
    assert fingerprint(column)[-1] == MISSING


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (np.array([True, False]), ["true", "false"]),
        ([True, 1, 1.0, np.True_], ["true", "1", "1", "true"]),
        (np.array([3, 2**64 - 1], np.uint64), ["3", "18446744073709551615"]),
        (np.array([0.1, -0.0, 1e-5], np.float32), ["0.1", "0", "1e-05"]),
        (np.array([0.1, 2.5, -3.0]), ["0.1", "2.5", "-3"]),
        (np.array([b"ab", b"c"]), ["ab", "c"]),
        (np.array(["ab", "c"]), ["ab", "c"]),
        ([2**63, -1], ["9223372036854775808", "-1"]),
        (jnp.array([7, 8]), ["7", "8"]),
        (iter(["ab"]), ["ab"]),
    ],
)
def test_a_log_read_with_types_agrees_with_its_text(typed, text):
    assert fingerprint(typed).tolist() == [xxhash.xxh3_64_intdigest(word.encode()) for word in text]


@pytest.mark.parametrize(
    "values",
    [
        [None],
        [float("nan")],
        [""],
        [b""],
        np.array([np.nan], np.float32),
        np.array([None]),
        np.ma.array([5], mask=[True]),
    ],
)
def test_missing_has_a_fingerprint_of_its_own(values):
    assert fingerprint(values).tolist() == [int(MISSING)]


def test_fingerprints_keep_the_shape_of_an_array():
    values = np.arange(6).reshape(2, 3)
    assert np.array_equal(fingerprint(values).ravel(), fingerprint(values.ravel()))
    assert fingerprint(values.astype(str)).shape == (2, 3)
    assert fingerprint([]).shape == (0,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, [2]], "got list at position 1"),
        ("abc", "wrap it in a list"),
        (np.array(["2020-01-01"], "datetime64[D]"), "got an array of datetime64"),
        ([1j], "got complex at position 0"),
    ],
)
def test_values_of_other_types_are_refused(values, message):
    with pytest.raises(TypeError, match=message):
        fingerprint(values)


@pytest.mark.parametrize("values", [[2.0**53], np.array([2.0**24], np.float32), [float("inf")]])
def test_floats_that_lost_digits_are_refused(values):
    with pytest.raises(ValueError, match="digits are already lost"):
        fingerprint(values)


def test_a_cross_depends_on_the_order_and_on_each_part():
    a, b, c = fingerprint(["x", "x", "y"]), fingerprint(["u", "v", "u"]), fingerprint(["p"] * 3)
    crosses = np.concatenate([combine(a, b), combine(b, a), combine(a, b, c), combine(a, c, b)])
    assert len(np.unique(crosses)) == 12
    assert np.array_equal(combine(a, b)[:1], combine(a[:1], b[:1]))


def test_crosses_of_two_columns_rarely_collide():
    a, b = np.meshgrid(fingerprint(np.arange(400)), fingerprint(np.arange(400)))
    crosses = combine(a, b)
    assert len(np.unique(crosses)) == crosses.size
    high, low = split(crosses.ravel())
    assert surprise(np.bincount(bucket(high, low, 0, 1000), minlength=1000)) > 1e-3


def test_a_cross_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        combine()


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
