"""Fingerprints: golden names, the agreement of typed logs with their text, crosses."""

import jax.numpy as jnp
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.features import MISSING, bucket, combine, fingerprint, salt, split


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


@given(st.lists(st.integers(-(2**80), 2**80)))
def test_integers_and_their_text_have_one_fingerprint(values):
    assert np.array_equal(fingerprint(values), fingerprint([str(value) for value in values]))


@pytest.mark.slow
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
    rows = bucket(*split(crosses.ravel()), 0, 1000)
    assert stats.chisquare(np.bincount(rows, minlength=1000)).pvalue > 1e-3


def test_a_cross_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        combine()
