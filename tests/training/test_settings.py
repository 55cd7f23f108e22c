"""Settings: what a person may choose, and what becomes of it for one schema."""

import dataclasses

import pytest

from recsys.embedding import PerFeature, Unified
from recsys.features import Feature, Schema
from recsys.models import DLRM
from recsys.optim import LazyAdam, RowTraining
from recsys.optim.schedules import Cosine, Drops
from recsys.spec import from_json, to_json
from recsys.tables import INT8, Full, Hash
from recsys.training.memory import memory_bytes
from recsys.training.resolving import Resolved, full_bytes, resolve
from recsys.training.settings import Budget, Settings, known
from tests.toy import SCHEMA

HASHED = Schema((Feature("user"), Feature("item", values=90), Feature("age", kind="numeric")))


def resolved(schema: Schema = SCHEMA, examples: int = 10_000, **chosen) -> Resolved:
    return resolve(Settings(**chosen), schema, examples)


@pytest.mark.parametrize(
    ("text", "amount", "is_share"),
    [("64KB", 64e3, False), ("1.5 mb", 1.5e6, False), ("100", 100.0, False), ("1%", 0.01, True)],
)
def test_a_budget_is_read_as_a_person_writes_it(text, amount, is_share):
    assert Budget.of(text) == Budget(amount, is_share)


@pytest.mark.parametrize("text", ["", "KB", "1 kilo", "-1KB", "0%", "0"])
def test_a_budget_of_nothing_known_is_refused(text):
    with pytest.raises(ValueError, match="A budget is a size as 64KB"):
        Settings(budget=text)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="Unknown table 'hush': known are auto, full, hash"):
        known("hush", ("auto", "full", "hash"), what="table")


def test_a_small_vocabulary_gets_a_row_for_each_value():
    found = resolved()
    assert found.model.layout == Unified(Full(), 16)
    assert {feature.lookups for feature in found.model.schema.features} == {1}


def test_hashed_features_share_a_table_and_read_it_twice():
    found = resolved(HASHED)
    assert isinstance(found.model.layout.method, Hash)
    assert found.model.layout.dim == 8
    assert [f.lookups for f in found.model.schema.features] == [2, 2, 1]


def test_a_share_is_one_of_the_full_table_of_the_same_width():
    full = full_bytes(SCHEMA, 16)
    assert full is not None
    for layout, kind in (("unified", Unified), ("per-feature", PerFeature)):
        found = resolved(table="hash", budget="25%", layout=layout).model
        tables = found.layout.plans(found.schema).values()
        assert isinstance(found.layout, kind)
        assert 0.8 * full / 4 < sum(table.table_bytes for table in tables) <= full / 4


def test_a_budget_too_small_for_every_value_is_kept_by_hashing():
    method = resolved(budget="10%").model.layout.method
    assert isinstance(method, Hash)


@pytest.mark.parametrize("layout", ["unified", "per-feature"])
def test_a_budget_below_the_floor_is_told_the_share_that_is_needed(layout):
    with pytest.raises(
        ValueError, match=r"Full needs at least 100% of the full table, .* bytes .*budget of 50%"
    ):
        resolved(table="full", budget="50%", layout=layout)
    with pytest.raises(ValueError, match=r"Hash needs at least \d+ bytes for vectors of 8 here"):
        resolved(HASHED, table="hash", budget="8", layout=layout)


def test_a_share_of_what_nobody_knows_is_refused():
    with pytest.raises(
        ValueError, match="needs a vocabulary of every feature, and user are hashed"
    ):
        resolved(HASHED, budget="10%")


def test_options_reach_the_table_and_the_model():
    found = resolved(model="dlrm", model_options=("top=8",), table="int8",
                     table_options=("of=hash",), dim=4, lookups=3).model  # fmt: skip
    assert isinstance(found, DLRM)
    assert (found.top, found.layout) == ((8,), Unified(INT8(of=Hash()), 4))
    assert found.schema.features[0].lookups == 3
    with pytest.raises(ValueError, match="Options of a table need its name"):
        resolved(table_options=("rows=1",))


def test_lookups_that_the_schema_says_stay():
    schema = dataclasses.replace(SCHEMA, features=(Feature("user", values=60, lookups=3),))
    assert resolved(schema).model.schema.features[0].lookups == 3
    assert resolved(schema, lookups=1).model.schema.features[0].lookups == 1


def test_more_examples_make_larger_batches():
    assert [resolved(examples=n).batch for n in (100, 10_000, 300_000, 10**7)] == [
        100,
        256,
        512,
        2048,
    ]
    with pytest.raises(ValueError, match="A batch of 512 needs as many training examples, got 100"):
        resolved(examples=100, batch=512)


def test_a_schedule_lasts_as_long_as_training():
    steps = 10 * (10_000 // 256)
    assert resolved(epochs=10, schedule="cosine").recipe.schedule == Cosine(steps)
    assert resolved(epochs=10, schedule="drops").recipe.schedule == Drops(at=(195, 292))


def test_what_rows_learn_by_can_be_chosen():
    rows = resolved(decay=0.5, decay_by="step", average=0.9, rate=0.1).recipe.rows
    assert rows == RowTraining(LazyAdam(0.1), weight_decay=0.5, decay_by="step", average=0.9)


def test_what_was_resolved_comes_back_from_json():
    found = resolved(model="deepfm", schedule="linear", table="hash", budget="20KB")
    assert from_json(to_json(found)) == found


def test_memory_is_what_the_container_allows(tmp_path):
    limit, none = tmp_path / "limit", tmp_path / "none"
    limit.write_text("4096\n")
    none.write_text("max\n")
    assert memory_bytes((str(limit),)) == 4096
    assert memory_bytes((str(none), str(tmp_path / "absent"))) > 4096
