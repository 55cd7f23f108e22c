"""QR: remainders and quotients by hand; as many vectors as values; where they start."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.tables import INT8, QR
from recsys.tables.base import Field, payload_bytes
from tests.tables.lookup import built, everyone, keys, look_up

pytestmark = pytest.mark.slow

SEVEN = (Field("item", 7, salt=1),)
TWO = (Field("small", 100, salt=1), Field("large", 4900, salt=2))


@pytest.mark.parametrize(
    ("by", "expected"), [("product", [[30, 8], [3, 8]]), ("sum", [[13, 6], [4, 6]])]
)
def test_value_5_is_remainder_2_with_quotient_1_and_value_6_remainder_0_with_quotient_2(
    by, expected
):
    """W1[i mod m] and W2[i div m] with m = 3; seven values have three quotients."""
    table = built(QR(rows=3, by=by), 2, SEVEN)
    assert table.heights == {"weight": 3 + 3}
    by_hand = [[1.0, 2.0], [0, 0], [3, 2], [7, 7], [10, 4], [3, 4]]
    table.rows["weight"][...] = jnp.pad(jnp.array(by_hand), ((0, 506), (0, 0)))
    np.testing.assert_array_equal(look_up(table, keys([[5, 6]]))[0], expected)


def test_no_two_values_of_a_table_read_the_same_pair():
    table = built(QR(rows=120), 2, TWO)
    key = everyone(100, fields=2)
    key = dataclasses.replace(key, low=key.low.at[:, 1].add(4000))
    remainders, quotients = np.split(np.asarray(table.address(key)["weight"]), 2, axis=1)
    pairs = np.stack([remainders, quotients], axis=-1).reshape(-1, 2)
    assert len(np.unique(pairs, axis=0)) == 200
    assert len(np.unique(pairs[:, 0])) <= 120


def test_the_most_frequent_values_of_a_feature_have_different_remainders():
    address = np.asarray(built(QR(rows=120), 2, TWO).address(everyone(100))["weight"])
    assert len(np.unique(address[:, 0])) == 100
    assert len(np.unique(address[:, 1])) == 1


@pytest.mark.parametrize("by", ["product", "sum"])
def test_vectors_start_with_the_spread_of_a_plain_row_and_apart(by):
    """What values of one remainder have in common is half of a sum, and nothing of a product."""
    vectors = look_up(built(QR(rows=70, by=by), 8, TWO[1:]), everyone(4900))[:, 0]
    np.testing.assert_allclose(vectors.std(), 0.05 / math.sqrt(3), rtol=0.05)
    common = vectors.reshape(70, 70, 8).mean(axis=0)  # over the quotients
    assert abs(common.var() / vectors.var() - (by == "sum") / 2) < 0.1


def test_the_floor_is_twice_the_root_of_the_values():
    floor = 4 * 8 * 2 * math.ceil(math.sqrt(5000))
    assert sum(QR().within(floor, 8, TWO).split(TWO)) == 71 + 71
    with pytest.raises(ValueError, match=f"QR needs at least {floor:,} bytes"):
        QR().within(floor - 1, 8, TWO)


def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=QR(rows=3))
    table, floats = built(method, 8, SEVEN), built(method.of, 8, SEVEN)
    assert payload_bytes(table.freeze()) == method.table_bytes(8, SEVEN) == 6 * (8 + 2)
    key = everyone(7)
    np.testing.assert_allclose(look_up(table, key), look_up(floats, key), atol=0.05 / 127)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "between one row and"),
        ({"by": "concat"}, "by product or by sum, got 'concat'"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        QR(**options)
