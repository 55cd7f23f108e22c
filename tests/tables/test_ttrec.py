"""TT-Rec: digits of values and entries, the train by hand, and where it starts."""

import numpy as np
import pytest

from recsys.tables import INT8, TTRec
from recsys.tables.base import Field, payload_bytes
from recsys.tables.ttrec import factors, radices
from tests.tables.lookup import built, everyone, look_up

FIELDS = (Field("small", 40, salt=1), Field("large", 950, salt=2))


@pytest.mark.parametrize(
    ("values", "expected"),
    [(1, (1, 1, 1)), (2, (1, 1, 2)), (990, (10, 10, 10)), (1001, (10, 10, 11))],
)
def test_three_radices_cover_the_values(values, expected):
    assert radices(values) == expected


@pytest.mark.parametrize("values", [27, 33_762_577, 2**31 - 1])
def test_radices_are_near_the_cube_root_and_waste_little(values):
    root, found = values ** (1 / 3), radices(values)
    assert values <= np.prod(found) < values * (1 + 3 / root) + 3
    assert max(found) <= root + 2


@pytest.mark.parametrize(
    ("dim", "expected"), [(16, (2, 2, 4)), (30, (2, 3, 5)), (13, (1, 1, 13)), (64, (4, 4, 4))]
)
def test_a_dimension_is_cut_into_factors_as_equal_as_can_be(dim, expected):
    assert factors(dim) == expected


@pytest.mark.slow
@pytest.mark.parametrize("batch", [100, 20])  # twice as many places: more than pairs, or fewer
def test_a_vector_is_the_product_of_three_matrices(batch):
    """Value 857 of the second field is 40 + 857 of all: digits 8, 9, 7."""
    table = built(TTRec(rank=3), 12, FIELDS)
    first, middle, last = (np.asarray(c[...]) for c in (table.first, table.middle, table.last))
    assert (first.shape, middle.shape, last.shape) == ((10, 2, 3), (10, 3, 2, 3), (10, 3, 3))
    low = everyone(950, fields=2)
    chosen = (low.high[850 : 850 + batch], low.low[850 : 850 + batch], low.valid[:batch])
    vectors = look_up(table, type(low)(*chosen, low.spans))
    by_hand = [
        first[8, a] @ middle[9, :, b] @ last[7, :, c]
        for a in range(2)
        for b in range(2)
        for c in range(3)
    ]
    np.testing.assert_allclose(vectors[7, 1], by_hand, rtol=1e-5)
    np.testing.assert_allclose(vectors[7, 0], vectors[8, 0])  # beyond the vocabulary of the first


@pytest.mark.slow
def test_vectors_start_with_the_spread_of_a_plain_row_and_away_from_zero():
    for rank in (1, 8):
        vectors = look_up(built(TTRec(rank=rank), 16, FIELDS), everyone(950, fields=2))
        np.testing.assert_allclose(vectors.std(), 0.05 / np.sqrt(3), rtol=0.15)
        if rank == 1:
            assert np.abs(vectors).min() > np.abs(vectors).max() / 8


@pytest.mark.slow
def test_bytes_are_those_of_the_cores():
    assert TTRec(rank=3).table_bytes(12, FIELDS) == 4 * (10 * 2 * 3 + 10 * 3 * 2 * 3 + 10 * 3 * 3)
    frozen = built(TTRec(rank=3), 12, FIELDS).freeze()
    assert payload_bytes(frozen) == TTRec(rank=3).table_bytes(12, FIELDS)


def test_a_storage_of_rows_and_a_rank_of_nothing_are_refused():
    with pytest.raises(ValueError, match="INT8 stores the float rows of another method, got TTRec"):
        INT8(of=TTRec())
    with pytest.raises(ValueError, match="a rank of at least 1, got 0"):
        TTRec(rank=0)
