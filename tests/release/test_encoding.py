"""Requests to batches: what is missing is filled and told, what is wrong is refused."""

import numpy as np
import pytest

from recsys.features import Feature, Schema, Vocabulary, fingerprint
from recsys.features.hashing import Words, join
from recsys.release.encoding import Encoder, People
from recsys.release.items import Items
from recsys.release.people import Known, Lists
from tests.releases import CLICKS, VOCABULARY

ENCODER = Encoder(CLICKS, {"city": VOCABULARY})
NAMES = ("ann", "bob", "cid")
IDS = ("m0", "m1", "m2", "m3")


def ranks(values: tuple[str, ...]) -> Vocabulary:
    counts = np.ones(len(values), np.int64)
    return Vocabulary.from_arrays({"fingerprints": fingerprint(values), "counts": counts})


@pytest.fixture(scope="module")
def people() -> Encoder:
    """An encoder that knows three users: their cities, ages and what they watched."""
    schema = Schema(
        (
            Feature("watched", kind="bag", length=2, values=4, space="movie"),
            Feature("user", values=3),
            Feature("city"),
            Feature("age", kind="numeric"),
        ),
        label=None,
    )
    lists = Lists(np.array([0, 3, 3, 4]), np.array([0, 1, 2, 3], np.int32))
    known = Known(
        fingerprints=fingerprint(NAMES),
        keys=np.stack([np.arange(3, dtype=np.uint64), fingerprint(["Lyon", "", "Ghent"])], axis=1),
        valid=np.ones((3, 2), bool),
        numbers=np.array([[30], [40], [50]], np.float32),
        liked=lists,
        seen=lists,
    )
    words = {"watched": ranks(IDS), "user": ranks(NAMES)}
    users = People("user", known, ("watched",), Items.of(IDS))
    return Encoder(schema, words, no_row=("watched", "user"), people=users)


def keys_of(encoder: Encoder, row: dict) -> list[int | None]:
    batch = encoder([row]).batch
    keys = join(Words(np.asarray(batch.high), np.asarray(batch.low)))[0].tolist()
    return [key if valid else None for key, valid in zip(keys, batch.valid[0], strict=True)]


def test_rows_are_encoded_as_training_encodes_them():
    rows = [
        {"city": "Lyon", "tags": "a|b|c|d", "device": "tv", "price": 2.5},
        {"city": "nowhere", "tags": None, "device": None, "price": None},
        {"city": "Ghent", "tags": "a", "device": 7, "price": "3"},
    ]
    found = ENCODER(rows)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    wanted = CLICKS.encode(columns, {"city": VOCABULARY})
    for name in ("high", "low", "valid", "numbers"):
        np.testing.assert_array_equal(getattr(found.batch, name), getattr(wanted, name))


def test_what_a_row_leaves_out_is_told():
    found = ENCODER([{"city": "Rome", "price": 1}, {}, {"tags": "", "device": "tv"}])
    assert found.imputed == [
        ("tags", "device"),
        ("city", "tags", "device", "price"),
        ("city", "tags", "price"),
    ]
    assert found.unknown == [("city",), (), ()]
    assert found.is_known.tolist() == [True, False, True]


def test_a_known_user_fills_what_its_row_leaves_out(people):
    found = people([{"user": "ann"}, {"user": "cid", "city": "Rome"}])
    assert found.imputed == [(), ()]
    np.testing.assert_array_equal(found.batch.numbers[:, 0], [30, 50])
    lyon, rome = fingerprint(["Lyon", "Rome"]).tolist()
    assert keys_of(people, {"user": "ann"}) == [1, 2, 0, lyon]  # the last two that ann watched
    assert keys_of(people, {"user": "cid", "city": "Rome"}) == [3, None, 2, rome]


def test_a_history_is_given_by_ids(people):
    assert keys_of(people, {"user": "ann", "watched": ["m3"]})[:2] == [3, None]
    assert keys_of(people, {"watched": ["m3", "new", "m1"]})[:3] == [3, None, None]
    found = people([{"watched": ["m3", "new"]}, {"watched": []}, {"watched": ["new"]}])
    assert found.unknown == [("watched",), (), ("watched",)]
    assert found.is_known.tolist() == [True, False, False]


def test_values_that_have_no_row_are_left_out(people):
    found = people([{"user": "zoe"}])
    assert found.unknown == [("user",)]
    assert found.imputed == [("watched", "city", "age")]
    assert keys_of(people, {"user": "zoe"})[2] is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"citty": "Lyon"}, "No feature 'citty' is read here: known are city, device, price, tags"),
        ({"price": "dear"}, "Column 'price' wants finite numbers, got 'dear' at row 0"),
        ({"price": float("inf")}, "wants finite numbers"),
        ({"price": [1, 2]}, "Column 'price' wants"),
        ({"city": {"name": "Lyon"}}, "Column 'city': .* got dict"),
        ({"tags": 5}, "Column 'tags' wants a list of values"),
        ({"device": ["tv"]}, "Column 'device': .* got list"),
    ],
)
def test_what_cannot_be_read_is_refused(row, told):
    with pytest.raises((ValueError, TypeError), match=told):
        ENCODER([row])


def test_ranks_without_names_are_refused():
    with pytest.raises(ValueError, match="wants a vocabulary, got none"):
        Encoder(CLICKS, {})


def test_columns_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="Columns want one length"):
        ENCODER({"city": ["Lyon"], "price": [1, 2]})
