"""Frequency: who has a row of its own, what the rest share, and what it needs to know."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.features import Schema
from recsys.features.feature import Feature
from recsys.tables import INT8, Frequency, MultiHash
from recsys.tables.base import OUT, Field, payload_bytes
from tests.tables.lookup import built, everyone, keys, look_up

USER = Field("user", 21, salt=1, counts=((9, 2), (5, 4), (1, 14)))
ITEM = Field("item", 101, salt=2, counts=((7, 3), (5, 8), (2, 89)))
BOTH = (USER, ITEM)
ALL = everyone(21, fields=2)


@pytest.mark.parametrize(
    ("rows", "owners"),
    [
        (5, (2, 2)),  # counts 9, then 7; two of three, as there is one row to share
        (6, (2, 3)),
        (12, (4, 7)),  # six left for twelve seen 5 times: 2 of 4 users, 4 of 8 items
        (18, (6, 11)),
        (120, (6, 100)),  # once is too rarely, and what is unknown is never seen
    ],
)
def test_rows_go_to_the_values_seen_most_often_whatever_their_feature(rows, owners):
    assert Frequency(rows=rows, share=1 / rows).owners(BOTH) == owners


@pytest.mark.slow
def test_owners_read_one_row_that_nobody_else_reads_and_the_others_read_two():
    table = built(Frequency(rows=30, share=0.43), 4, BOTH)
    address = np.asarray(table.address(ALL)["weight"]).reshape(21, 2, 2)
    assert table.owners == (6, 11)
    own = np.concatenate([address[:6, 0, 0], address[:11, 1, 0]])
    assert own.tolist() == list(range(17))
    assert (address[:6, 0, 1] == OUT).all()
    assert (address[:11, 1, 1] == OUT).all()
    for rest in (address[6:, 0], address[11:, 1]):
        assert ((rest >= 17) & (rest < 30)).all()


@pytest.mark.slow
def test_a_vector_is_the_own_row_or_the_sum_of_two_shared_ones():
    table = built(Frequency(rows=30, share=0.43), 2, BOTH)
    table.rows["weight"][...] = jnp.arange(512.0)[:, None] * jnp.array([[1.0, -1.0]])
    key = keys([[5, 10], [6, 11], [6, 11]], valid=[[True] * 2, [True] * 2, [False] * 2], fields=2)
    shared = np.asarray(table.address(key)["weight"]).reshape(3, 2, 2)[1].sum(axis=-1)
    by_hand = [[5, 6 + 10], shared, [0, 0]]
    np.testing.assert_array_equal(look_up(table, key), np.stack([by_hand, np.negative(by_hand)], 2))


@pytest.mark.slow
def test_without_owners_it_is_double_hashing():
    """So what owners read is what the method adds."""
    alike, other = Frequency(rows=60, share=1.0), Frequency(rows=60)
    double = look_up(built(MultiHash(rows=60), 4, BOTH), ALL)
    np.testing.assert_array_equal(look_up(built(alike, 4, BOTH), ALL), double)
    assert (look_up(built(other, 4, BOTH), ALL)[:6, 0] != double[:6, 0]).any(axis=1).all()


@pytest.mark.slow
def test_two_lookups_of_one_value_have_rows_of_their_own_and_features_of_one_space_share():
    lookups = (USER, dataclasses.replace(USER, salt=3))
    spaces = (USER, dataclasses.replace(USER, name="friend"))
    key = everyone(6, fields=2)
    for fields, count in ((lookups, 12), (spaces, 6)):
        address = built(Frequency(rows=30), 4, fields).address(key)["weight"]
        own = np.asarray(address).reshape(6, 2, 2)[:, :, 0]
        assert np.unique(own).tolist() == list(range(count))


def test_vectors_start_with_the_spread_of_a_plain_row():
    large = (Field("item", 4001, salt=2, counts=((5, 2000), (1, 2000))),)
    vectors = look_up(built(Frequency(rows=4000, share=0.5), 8, large), everyone(4001))[:, 0]
    for part in (vectors[:2000], vectors[2000:]):
        np.testing.assert_allclose(part.std(), 0.05 / np.sqrt(3), rtol=0.05)


@pytest.mark.slow
def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=Frequency(rows=30))
    table, floats = built(method, 8, BOTH), built(method.of, 8, BOTH)
    assert payload_bytes(table.freeze()) == method.table_bytes(8, BOTH) == 30 * (8 + 2)
    np.testing.assert_allclose(look_up(table, ALL), look_up(floats, ALL), atol=0.05 / 127)


def test_a_vocabulary_tells_how_often_values_were_seen():
    columns = {"user": ["a", "b", "a", "c", "b", "a"], "label": [0, 1, 0, 1, 1, 0]}
    schema, _ = Schema((Feature("user"),)).with_vocabularies(columns)
    assert schema.features[0].counts == ((3, 1), (2, 1), (1, 1))


def test_a_feature_without_counts_is_refused_by_name():
    plain = (USER, dataclasses.replace(ITEM, counts=None))
    for ask in (Frequency().table_bytes, lambda *told: Frequency().within(10**6, *told)):
        with pytest.raises(ValueError, match="feature 'item' does not say: learn its vocabulary"):
            ask(4, plain)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "between one row and"),
        ({"share": 0.0}, "got share=0.0"),
        ({"least": 0}, "least=0"),
        ({"probes": 0}, "probes=0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Frequency(**options)
