"""ROBE: runs of one circular array, with signs, beside a slow reference that reads it by number."""

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.features.hashing import bucket, philox, salt
from recsys.tables import INT8, ROBE
from recsys.tables.base import Field, payload_bytes
from tests.tables.lookup import built, everyone, look_up

pytestmark = pytest.mark.slow

FIELDS = (Field("item", 400, salt=1), Field("text", None, salt=2))
VALUES = everyone(400, fields=2)


def number_of(field: Field, value: int, entry: int, *, z: int, dim: int, size: int) -> int:
    """Which number of the array an entry reads: a run's place, and how far into the run it is."""
    sharing = max(1, z // dim)
    run, into = (entry // z, entry % z) if z < dim else (0, entry + value % sharing * dim)
    high, low = (np.array([word], np.uint32) for word in (0, value // sharing))
    start = bucket(high, low, salt("run", run, field.salt), size)
    return (int(start[0]) + into) % size


def sign_of(field: Field, value: int, entry: int) -> int:
    """The sign of an entry: a bit of the hash of value and entry."""
    high, low = (np.array([word], np.uint32) for word in (0, value))
    words = philox(high, low, salt("sign", entry // 64, field.salt))
    return -1 if (int(words[entry // 32 % 2][0]) >> entry % 32) & 1 else 1


@pytest.mark.parametrize(
    ("rows", "z", "dim"),
    [(40, 1, 5), (20, 3, 8), (11, 4, 8), (5, 8, 8), (9, 20, 8), (30, 16, 70)],
)
def test_entries_are_signed_numbers_of_the_array_for_any_length_of_a_run(rows, z, dim):
    """Of 1, of what does and does not divide the vector, as long, longer; of two words of signs."""
    table = built(ROBE(rows=rows, z=z), dim, FIELDS)
    width = min(z, dim)
    size = rows * width
    array = np.arange(1, size + 1, dtype=np.float32)
    padded = np.pad(array.reshape(rows, width), ((0, 512 - rows), (0, 0)))
    table.rows["array"][...] = jnp.asarray(padded)
    vectors = look_up(table, VALUES)
    for place, field in enumerate(FIELDS):
        for value in (0, 1, 2, 7, 399):
            expected = [
                sign_of(field, value, entry)
                * array[number_of(field, value, entry, z=z, dim=dim, size=size)]
                for entry in range(dim)
            ]
            np.testing.assert_array_equal(vectors[value, place], expected)


def test_what_values_have_in_common_by_chance_cancels():
    """All read the same number everywhere; without signs their products would all be 1."""
    table = built(ROBE(rows=5, z=8), 8, FIELDS)
    table.rows["array"][...] = jnp.ones((512, 8))
    vectors = look_up(table, VALUES)[:, 0]
    products = vectors @ vectors.T / 8
    assert (np.diag(products) == 1).all()
    others = products[~np.eye(len(products), dtype=bool)]
    assert abs(others.mean()) < 0.03
    np.testing.assert_allclose(others.std(), 1 / np.sqrt(8), rtol=0.1)


def test_runs_start_anywhere_and_not_only_where_rows_do():
    table = built(ROBE(rows=5, z=8), 8, FIELDS)
    table.rows["array"][...] = jnp.arange(512.0 * 8).reshape(512, 8)
    first = np.abs(look_up(table, VALUES)[:, 0, 0])
    assert set(first.astype(int)) == set(range(40))


def test_vectors_start_with_the_spread_of_a_plain_row():
    vectors = look_up(built(ROBE(rows=3000, z=3), 8, FIELDS), VALUES)
    np.testing.assert_allclose(vectors.std(), 0.05 / np.sqrt(3), rtol=0.03)


def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=ROBE(rows=60, z=4))
    table, floats = built(method, 8, FIELDS), built(method.of, 8, FIELDS)
    assert payload_bytes(table.freeze()) == method.table_bytes(8, FIELDS) == 60 * (4 + 2)
    np.testing.assert_allclose(look_up(table, VALUES), look_up(floats, VALUES), atol=0.05 / 127)


def test_an_array_shorter_than_a_vector_or_a_run_is_refused_and_is_not_on_the_dial():
    with pytest.raises(ValueError, match=r"ROBE\(z=3\) needs between 3 and .* got 2"):
        built(ROBE(rows=2, z=3), 8, FIELDS)
    assert ROBE(z=3).dial(8, FIELDS).make(0).rows == 3
    assert ROBE(z=20).dial(8, FIELDS).make(0).rows == 3
    with pytest.raises(ValueError, match="at least one run of at least one number"):
        ROBE(z=0)
