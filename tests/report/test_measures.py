"""What the report is made of: values, bytes, collisions, reliability, AUC by frequency."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Embedding, Group, Grouped, Unified
from recsys.features import Feature, Schema, Vocabulary
from recsys.metrics import Predictions
from recsys.report.collisions import collisions
from recsys.report.footprint import by_feature, by_table
from recsys.report.frequency import by_frequency, telling
from recsys.report.reliability import reliability
from recsys.report.values import Values, values_of
from recsys.tables import INT8, MDE, Full, Hash

SCHEMA = Schema((Feature("user"), Feature("tags", kind="bag", length=2), Feature("x", "numeric")))


def numbered(count: int) -> Values:
    """The ranks of a vocabulary of so many values."""
    return Values(np.arange(count, dtype=np.uint64), np.ones(count, np.int64))


def embedding(layout, **values: int) -> tuple[Embedding, dict[str, Values]]:
    """Tables for features of some vocabularies, and their values."""
    schema = Schema(tuple(Feature(name, values=count) for name, count in values.items()))
    found = {name: numbered(count) for name, count in values.items()}
    return Embedding(schema, layout, rngs=nnx.Rngs(0)), found


def test_the_values_of_hashed_features_are_found_by_reading(monkeypatch):
    monkeypatch.setattr("recsys.report.values.PIECE", 2)
    users = ["ann", "bob", "ann", "cy", "ann"]
    tags = [["a"], [], ["a", "b"], ["b"], ["b", "c"]]
    batch = SCHEMA.encode({"user": users, "tags": tags, "x": [0.0] * 5})
    found = values_of(SCHEMA, {}, batch)
    assert sorted(found["user"].counts) == [1, 1, 3]
    assert sorted(found["tags"].counts) == [1, 2, 3]
    keys = np.array([found["user"].keys[np.argmax(found["user"].counts)], 7], np.uint64)
    np.testing.assert_array_equal(found["user"].count(keys), [3, 0])


def test_a_vocabulary_knows_its_values_and_one_more():
    schema, vocabularies = SCHEMA.with_vocabularies(
        {"user": ["b", "a", "b"], "tags": [["t"], ["t"], []], "x": [1, 2, 3], "label": [0, 1, 0]},
        ["user"],
    )
    batch = schema.encode({"user": ["a"], "tags": [["t"]], "x": [0]}, vocabularies)
    found = values_of(schema, vocabularies, batch)
    np.testing.assert_array_equal(found["user"].keys, [0, 1, 2])
    np.testing.assert_array_equal(found["user"].counts, [2, 1, 0])
    assert len(found["tags"]) == 1


@pytest.mark.slow
def test_bytes_of_a_shared_table_are_shared_out_by_values():
    embed, values = embedding(Unified(Full(), 4), user=30, item=10)
    user, item = by_feature(embed, values)
    assert (user.table_bytes, item.table_bytes) == (30 * 16, 10 * 16)
    assert (user.vocabulary_bytes, user.width) == (240, 4)
    (table,) = by_table(embed)
    assert (table.table_bytes, table.features) == (640, ("user", "item"))


@pytest.mark.slow
def test_bytes_by_table_and_by_feature_have_one_sum():
    layout = Grouped((Group(("user",), Unified(INT8(of=Hash(rows=20)), 8)),
                      Group(("item", "age"), Unified(MDE(), 8))))  # fmt: skip
    embed, values = embedding(layout, user=30, item=10, age=3)
    tables, features = by_table(embed), by_feature(embed, values)
    assert sum(t.table_bytes for t in tables) == embed.table_bytes
    assert sum(f.table_bytes for f in features) == pytest.approx(embed.table_bytes, abs=2)


@pytest.mark.slow
def test_measured_collisions_are_those_of_the_addresses_and_near_the_expected():
    embed, values = embedding(Unified(Hash(rows=1000), 4), user=600, item=300)
    user, item = collisions(embed, values)
    table = embed.tables["unified"]
    assert user.rows == table.heights["weight"] == 1000
    assert user.expected_within == pytest.approx(1 - 0.999**599)
    assert item.expected_between == pytest.approx(1 - 0.999**600)
    assert user.within == pytest.approx(user.expected_within, abs=0.06)
    assert item.between == pytest.approx(item.expected_between, abs=0.08)


@pytest.mark.slow
def test_collisions_by_hand():
    embed, values = embedding(Unified(Hash(rows=1), 4), user=3, item=1)
    user, item = collisions(embed, values)
    assert (user.within, user.between, item.within, item.between) == (1, 1, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Full(), INT8(of=Full()), MDE()])
def test_values_with_rows_of_their_own_do_not_collide(method):
    embed, values = embedding(Unified(method, 4), user=30, item=20)
    for found in collisions(embed, values):
        assert (found.within, found.between, found.expected_within) == (0, 0, None)


@pytest.mark.slow
def test_every_lookup_has_its_own_collisions_and_a_key_space_none_with_itself():
    features = (Feature("seen", values=50, space="item", lookups=2), Feature("item", values=50))
    embed = Embedding(Schema(features), Unified(INT8(of=Hash(rows=90)), 4), rngs=nnx.Rngs(0))
    found = collisions(embed, {"seen": numbered(50), "item": numbered(50)})
    assert [(c.feature, c.lookup) for c in found] == [("seen", 0), ("seen", 1), ("item", 0)]
    assert found[0].within == found[2].within != found[1].within
    assert [c.between for c in found] == [0, 0, 0]
    assert {c.array for c in found} == {"weight"}


def predictions(logit: np.ndarray, label: np.ndarray, weight=None) -> Predictions:
    found = Predictions()
    found.add(logit, label, weight=weight)
    return found


def test_a_calibrated_model_lies_on_the_diagonal():
    drawn = np.random.default_rng(0)
    logit = drawn.normal(size=40_000)
    label = drawn.random(40_000) < 1 / (1 + np.exp(-logit))
    bins = reliability(predictions(logit, label), bins=10)
    assert len(bins.promised) == 10
    assert (np.diff(bins.promised) > 0).all()
    np.testing.assert_allclose(bins.happened, bins.promised, atol=0.04)
    np.testing.assert_array_less(bins.error, 0.01)


def test_reliability_by_hand_with_weights():
    logit = np.log(np.array([1 / 3, 1.0, 3.0, 1.0]))
    label, weight = np.array([0, 1, 1, 0]), np.array([1, 3, 2, 0], np.float32)
    bins = reliability(predictions(logit, label, weight), bins=2)
    np.testing.assert_allclose(bins.promised, [(1 / 4 + 3 / 2) / 4, 3 / 4], rtol=1e-6)
    np.testing.assert_allclose(bins.happened, [3 / 4, 1], rtol=1e-6)


def test_examples_fall_in_the_band_of_their_value():
    schema = Schema((Feature("item", values=4), Feature("tags", kind="bag", length=2)))
    counts = np.array([250, 30, 2, 0])
    values = {"item": Values(np.arange(4, dtype=np.uint64), counts), "tags": numbered(9)}
    item = np.array([0, 0, 1, 1, 2, 3, 3])
    batch = schema.encode({"item": item, "tags": [[] for _ in item]})
    label = np.array([1, 0, 1, 0, 1, 0, 1])
    logit = np.array([2.0, 1, 1, 2, 0, 1, 1])
    assert [feature.name for feature in telling(schema, values)] == ["item"]
    bands = by_frequency(schema, values, batch, predictions(logit, label))["item"]
    assert [(b.label, b.examples, b.auc) for b in bands] == [
        ("never", 2, 0.5),
        ("1-2", 1, None),
        ("30-99", 2, 0.0),
        ("100-299", 2, 1.0),
    ]


def test_vocabularies_are_shared_by_a_key_space():
    features = (Feature("seen", space="item"), Feature("item"))
    columns = {"seen": ["a", "b"], "item": ["a", "a"], "label": [0, 1]}
    schema, vocabularies = Schema(features).with_vocabularies(columns)
    assert isinstance(vocabularies["item"], Vocabulary)
    found = values_of(schema, vocabularies, schema.encode(columns, vocabularies))
    np.testing.assert_array_equal(found["seen"].counts, found["item"].counts)
    assert dataclasses.astuple(found["item"])[1].tolist() == [3, 1, 0]
