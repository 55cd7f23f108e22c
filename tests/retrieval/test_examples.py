"""Interactions packed for two towers: the same batch that encoding columns would give."""

import dataclasses

import numpy as np
import pytest

from recsys.embedding import Unified
from recsys.features import Batch, Feature, Schema
from recsys.models import Tower, TwoTower
from recsys.retrieval.examples import Sides, item_schema, user_schema
from recsys.tables import Hash
from tests.retrieval.drawn import ITEMS, USERS, interactions
from tests.retrieval.towers import HISTORY_ONLY, SPEC

TRAIN = interactions().train
USER = np.array([3, 0])
HISTORY = np.array([[5, 6, 7], [1, 2, 3]])
IS_HISTORY = np.array([[True, True, False], [False, False, False]])
ITEM = np.array([[9, 8, 7, 6, 5, 4, 3], [39, 0, 1, 2, 3, 4, 5]])
IS_ITEM = np.array([[True] * 7, [True] * 2 + [False] * 5])


def _pack(sides: Sides) -> Batch:
    slots = slice(None, sides.spec.slots)
    return sides.pack(USER, HISTORY, IS_HISTORY, ITEM[:, slots], IS_ITEM[:, slots])


def _assert_same(packed: Batch, encoded: Batch) -> None:
    """Where a place is real it holds the same key."""
    np.testing.assert_array_equal(packed.valid, encoded.valid)
    for name in ("high", "low"):
        ours, theirs = (np.where(b.valid, getattr(b, name), 0) for b in (packed, encoded))
        np.testing.assert_array_equal(ours, theirs)
    packed.check()


def test_numbers_of_users_and_items_are_enough():
    columns = {"user": USER, "history": [[5, 6], []], "item": [ITEM[0].tolist(), [39, 0]]}
    columns |= {f"log_count.{slot}": np.zeros(2) for slot in range(7)}
    _assert_same(_pack(Sides.of(SPEC, TRAIN)), SPEC.packed.encode(columns))


def test_a_user_may_be_its_history_alone():
    assert user_schema(HISTORY_ONLY) is None
    packed = _pack(Sides.of(HISTORY_ONLY, TRAIN))
    assert packed.high.shape == (2, 6 + 7)


def test_features_of_users_and_items_come_along():
    schema = Schema(
        (
            Feature("history", kind="sequence", length=3, space="title"),
            Feature("city"),
            Feature("title"),
            Feature("genres", kind="bag", length=2, values=5),
            Feature("price", kind="numeric"),
        ),
        label=None,
    )
    spec = TwoTower(
        schema,
        Unified(Hash(rows=90), 4),
        user=Tower(("history", "city")),
        item=Tower(("title", "genres", "price")),
        dim=8,
    )
    rng = np.random.default_rng(0)
    items = {
        "title": [f"film {number}" for number in range(ITEMS)],
        "genres": [rng.integers(0, 4, rng.integers(0, 3)) for _ in range(ITEMS)],
        "price": rng.random(ITEMS),
    }
    cities = [f"town {number % 7}" for number in range(USERS)]
    own = user_schema(spec)
    assert own is not None
    sides = Sides.of(spec, TRAIN, item_schema(spec).encode(items), own.encode({"city": cities}))
    packed = _pack(sides)
    expected = schema.encode(
        {
            "history": [["film 5", "film 6"], []],
            "city": [cities[user] for user in USER],
            **{name: [column[item] for item in ITEM[:, 0]] for name, column in items.items()},
        }
    )
    _assert_same(packed, expected)
    np.testing.assert_array_equal(packed.numbers, expected.numbers)


def test_rows_that_do_not_match_the_interactions_are_refused():
    rows = Sides.of(SPEC, TRAIN).items.take(slice(0, 5))
    with pytest.raises(ValueError, match="got 60 and 5: number users, items and rows together"):
        Sides.of(SPEC, TRAIN, rows)


def test_items_of_more_than_a_number_must_be_given():
    tagged = dataclasses.replace(
        SPEC,
        schema=Schema((*SPEC.schema.features, Feature("tags", values=4)), label=None),
        item=Tower(("item", "tags")),
    )
    with pytest.raises(ValueError, match="want their features item, tags encoded"):
        Sides.of(tagged, TRAIN)
