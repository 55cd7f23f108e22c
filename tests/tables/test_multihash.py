"""MultiHash: sums of independent rows, by hand; with one probe it is Hash."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.tables import INT8, Hash, MultiHash
from recsys.tables.base import OUT, Field, Keys, Span, payload_bytes
from recsys.tables.multihash import MultiHashTable, probed

FIELDS = (Field("item", None, salt=1), Field("query", 5000, salt=2))


def table_of(method: MultiHash, dim: int = 8) -> MultiHashTable:
    return method.build(dim, FIELDS, rngs=nnx.Rngs(0))


def keys(count: int) -> Keys:
    """The same values in both fields, one an example; and padding in every other second place."""
    low = jnp.stack([jnp.arange(count, dtype=jnp.uint32)] * 2, axis=1)
    valid = jnp.stack([jnp.ones(count, bool), jnp.arange(count) % 2 == 0], axis=1)
    return Keys(jnp.zeros_like(low), low, valid, (Span(0, 0, 1), Span(1, 1, 2)))


def test_over_the_identity_a_vector_is_the_bloom_code_of_its_value():
    """Row r is the r-th unit vector: what is left is which rows were read, and how often."""
    table = table_of(MultiHash(rows=8, probes=3))
    table.rows["weight"][...] = jnp.eye(512, 8)
    key = keys(100)
    vectors = np.asarray(table(key))
    np.testing.assert_array_equal(vectors[:, 0].sum(axis=1), np.full(100, 3))
    np.testing.assert_array_equal(vectors[1::2, 1], np.zeros((50, 8)))
    rows = np.asarray(probed(key, FIELDS, 8, 3))
    for example in range(100):
        np.testing.assert_array_equal(vectors[example, 0], np.bincount(rows[example, 0], None, 8))


def test_padding_reads_no_row():
    address = np.asarray(table_of(MultiHash(rows=60)).address(keys(10))["weight"])
    assert (address.reshape(10, 2, 2)[1::2, 1] == OUT).all()
    assert (address.reshape(10, 2, 2)[:, 0] < 60).all()


def test_one_probe_is_hash():
    one, plain = MultiHash(rows=60, probes=1), Hash(rows=60)
    tables = [method.build(8, FIELDS, rngs=nnx.Rngs(3)) for method in (one, plain)]
    np.testing.assert_array_equal(*(table.address(keys(50))["weight"] for table in tables))
    np.testing.assert_array_equal(*(table(keys(50)) for table in tables))


def test_values_that_share_one_row_do_not_share_the_other():
    """Which is what a second probe is for: 400 values of 60 rows have 400 vectors."""
    rows = np.asarray(probed(keys(400), FIELDS, 60, 2))[:, 0]
    assert len(np.unique(rows[:, 0])) <= 60
    assert len(np.unique(rows, axis=0)) > 350


def test_probes_are_independent_of_each_other_and_between_fields():
    rows = np.asarray(probed(keys(20_000), FIELDS, 10, 2)).reshape(-1, 4)
    for one in range(4):
        for other in range(one):
            met = np.zeros((10, 10))
            np.add.at(met, (rows[:, one], rows[:, other]), 1)
            chance = ((met - 200) ** 2 / 200).sum()  # chi-square of 99 degrees: 99 +- 14
            assert 50 < chance < 170


@pytest.mark.parametrize("probes", [1, 2, 4])
def test_vectors_start_with_the_spread_of_a_plain_row(probes):
    vectors = np.asarray(table_of(MultiHash(rows=2000, probes=probes))(keys(4000)))[:, 0]
    np.testing.assert_allclose(vectors.std(), 0.05 / np.sqrt(3), rtol=0.03)


def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=MultiHash(rows=60))
    table, floats = method.build(8, FIELDS, rngs=nnx.Rngs(0)), table_of(MultiHash(rows=60))
    assert payload_bytes(table.freeze()) == method.table_bytes(8, FIELDS) == 60 * (8 + 2)
    np.testing.assert_allclose(table(keys(9)), floats(keys(9)), atol=2 * 0.05 / 127)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rows": 0}, "between one row and"), ({"probes": 0}, "at least one row, got probes=0")],
)
def test_impossible_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MultiHash(**options)
