"""Which feature reads which table: plans, salts, separate tables; layouts that make no sense."""

import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Embedding, Group, Grouped, PerFeature, Unified
from recsys.features import Feature, Schema
from recsys.tables import Full, Hash
from tests.toy import DIM, SCHEMA

TWICE = Schema((Feature("a", lookups=2), Feature("b"), Feature("n", kind="numeric")))


def test_unified_is_one_table_of_all_features():
    plans = Unified(Hash(rows=50), DIM).plans(SCHEMA)
    assert list(plans) == ["unified"]
    assert [field.name for field in plans["unified"].fields] == ["user", "item", "tags"]
    assert [field.values for field in plans["unified"].fields] == [60, 90, 40]


def test_per_feature_is_a_table_for_each():
    plans = PerFeature(Full(), DIM).plans(SCHEMA)
    assert {name: plan.table_bytes for name, plan in plans.items()} == {
        "user": 4 * DIM * 60,
        "item": 4 * DIM * 90,
        "tags": 4 * DIM * 40,
    }
    assert [[field.name for field in plan.fields] for plan in plans.values()] == [
        ["user"],
        ["item"],
        ["tags"],
    ]


@pytest.mark.slow
def test_per_feature_keeps_separate_arrays():
    """Writing over one feature's whole table leaves every other feature's vectors as they were."""
    embed = Embedding(SCHEMA, PerFeature(Hash(rows=16), DIM), rngs=nnx.Rngs(0))
    batch = SCHEMA.encode(
        {"user": [0, 1, 2], "item": [0, 1, 2], "tags": [[0], [1], [2]], "hour": [0, 0, 0]}
    )
    before = {name: np.asarray(vector) for name, vector in embed(batch).items()}
    stored = [id(row) for table in embed.tables.values() for row in table.rows.values()]
    assert len(set(stored)) == 3
    embed.tables["item"].rows["weight"][...] += 1.0
    after = embed(batch)
    np.testing.assert_allclose(after["item"], before["item"] + 1.0, rtol=1e-6)
    for name in ("user", "tags"):
        np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.slow
def test_unified_shares_rows_between_features():
    embed = Embedding(SCHEMA, Unified(Hash(rows=1), DIM), rngs=nnx.Rngs(0))
    batch = SCHEMA.encode({"user": [0], "item": [5], "tags": [[1, 2]], "hour": [0]})
    vectors = embed(batch)
    np.testing.assert_allclose(vectors["user"], vectors["item"])
    np.testing.assert_allclose(vectors["user"], vectors["tags"], rtol=1e-6)


def test_every_lookup_of_every_feature_has_a_salt_of_its_own():
    (plan,) = Unified(Hash(), DIM).plans(TWICE).values()
    assert [field.name for field in plan.fields] == ["a", "a", "b"]
    assert len({field.salt for field in plan.fields}) == 3
    alone = PerFeature(Hash(), DIM).plans(TWICE)
    assert alone["a"].fields == plan.fields[:2]  # a salt is the feature's, whatever the layout
    assert alone["b"].fields == plan.fields[2:]


@pytest.mark.slow
def test_groups_are_laid_out_each_in_its_way():
    layout = Grouped(
        (
            Group(("user", "tags"), PerFeature(Full(), 4)),
            Group(("item",), Unified(Hash(rows=9), DIM)),
        )
    )
    plans = layout.plans(SCHEMA)
    assert list(plans) == ["0.user", "0.tags", "1.unified"]
    assert [plan.dim for plan in plans.values()] == [4, 4, DIM]
    embed = Embedding(SCHEMA, layout, rngs=nnx.Rngs(0))
    assert embed.widths == {"user": 4, "item": DIM, "tags": 4}
    assert embed.width == 8 + DIM


@pytest.mark.parametrize(
    "groups",
    [
        (("user", "item"),),
        (("user", "item", "tags"), ("tags",)),
        (("user", "item", "tags", "who"),),
    ],
)
def test_a_feature_in_no_group_in_two_or_unknown_is_refused(groups):
    layout = Grouped(tuple(Group(names, Unified(Hash(), DIM)) for names in groups))
    with pytest.raises(ValueError, match="wants each of user, item, tags in exactly one group"):
        layout.plans(SCHEMA)


def test_a_vocabulary_that_is_missing_is_named():
    with pytest.raises(ValueError, match="needs a vocabulary for feature 'a'"):
        Embedding(TWICE, Unified(Full(), DIM), rngs=nnx.Rngs(0))


@pytest.mark.parametrize("layout", [Unified(Hash(), 0), PerFeature(Hash(), -3)])
def test_a_width_that_cannot_be_is_refused(layout):
    with pytest.raises(ValueError, match="at least one dimension"):
        layout.plans(SCHEMA)


def test_a_layout_fitted_to_another_schema_is_refused():
    fitted = PerFeature(Hash(), DIM).within(10_000, SCHEMA)
    with pytest.raises(ValueError, match="fitted to 3 features and the schema has 2"):
        fitted.plans(TWICE)


@pytest.mark.slow
def test_the_bytes_of_an_embedding_are_those_of_its_tables_and_vocabularies():
    embed = Embedding(SCHEMA, Unified(Hash(rows=10), DIM), rngs=nnx.Rngs(0))
    assert embed.table_bytes == 4 * DIM * 10
    assert embed.served_bytes == embed.table_bytes + 8 * 190
    hashed = Embedding(TWICE, Unified(Hash(rows=10), DIM), rngs=nnx.Rngs(0))
    assert hashed.served_bytes == hashed.table_bytes
