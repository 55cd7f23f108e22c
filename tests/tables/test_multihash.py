"""MultiHash: sums of independent rows, by hand; with one probe it is Hash."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.tables import INT8, Hash, MultiHash
from recsys.tables.base import Field, payload_bytes
from recsys.tables.multihash import probed
from tests.tables.lookup import built, everyone, look_up

FIELDS = (Field("item", None, salt=1), Field("query", 5000, salt=2))
VALUES = everyone(5000, fields=2)


def rows_of(rows: int, probes: int = 2) -> np.ndarray:
    """The rows of every value in both fields, (values, fields, probes)."""
    return np.array(jax.jit(probed, static_argnums=(1, 2, 3))(VALUES, FIELDS, rows, probes))


@pytest.mark.slow
def test_over_the_identity_a_vector_is_the_bloom_code_of_its_value():
    """Row r is the r-th unit vector: what is left is which rows were read, and how often."""
    table = built(MultiHash(rows=8, probes=3), 8, FIELDS)
    table.rows["weight"][...] = jnp.eye(512, 8)
    rows, vectors = rows_of(8, 3), look_up(table, VALUES)
    np.testing.assert_array_equal(vectors.sum(axis=2), np.full((5000, 2), 3))
    for value in range(50):
        np.testing.assert_array_equal(vectors[value, 0], np.bincount(rows[value, 0], None, 8))


@pytest.mark.slow
def test_one_probe_is_hash():
    one, plain = (built(m, 8, FIELDS) for m in (MultiHash(rows=60, probes=1), Hash(rows=60)))
    np.testing.assert_array_equal(look_up(one, VALUES), look_up(plain, VALUES))


def test_values_that_share_one_row_do_not_share_the_other():
    """Which is what a second probe is for: 400 values of 60 rows have 400 sums, nearly."""
    rows = rows_of(60)[:400, 0]
    assert len(np.unique(rows[:, 0])) <= 60
    assert len(np.unique(rows, axis=0)) > 350


def test_probes_are_independent_of_each_other_and_between_fields():
    rows = rows_of(10).reshape(-1, 4)
    for one in range(4):
        for other in range(one):
            met = np.zeros((10, 10))
            np.add.at(met, (rows[:, one], rows[:, other]), 1)
            chance = ((met - 50) ** 2 / 50).sum()  # chi-square of 99 degrees: 99 +- 14
            assert 50 < chance < 170


@pytest.mark.slow
def test_vectors_start_with_the_spread_of_a_plain_row():
    vectors = look_up(built(MultiHash(rows=3000, probes=4), 8, FIELDS), VALUES)
    np.testing.assert_allclose(vectors.std(), 0.05 / np.sqrt(3), rtol=0.02)


@pytest.mark.slow
def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=MultiHash(rows=60))
    table, floats = built(method, 8, FIELDS), built(method.of, 8, FIELDS)
    assert payload_bytes(table.freeze()) == method.table_bytes(8, FIELDS) == 60 * (8 + 2)
    np.testing.assert_allclose(look_up(table, VALUES), look_up(floats, VALUES), atol=0.05 / 127)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rows": 0}, "between one row and"), ({"probes": 0}, "at least one row, got probes=0")],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MultiHash(**options)
