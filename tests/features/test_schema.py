"""Schema: rows of a log, ragged and incomplete, as packed keys; and what it refuses."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.features import (
    Feature,
    Schema,
    Vocabulary,
    Words,
    combine,
    fingerprint,
    join,
)

SCHEMA = Schema(
    features=(
        Feature("user"),
        Feature("age", "numeric"),
        Feature("genres", "bag", length=2),
        Feature("history", "sequence", length=3),
        Feature("user_item", cross=("user", "item")),
        Feature("price", "numeric"),
    )
)
LOG = {
    "user": ["ann", None, "bob"],
    "item": [1, 2, 3],
    "age": [31, None, "44"],
    "genres": [["a", "b", "c"], [], None],
    "history": [[1, 2, 3, 4], [5], [6, None, 7]],
    "price": np.array([0.5, 2.0, np.nan]),
    "label": [1, 0, 1],
}


def keys(batch, schema: Schema, name: str) -> np.ndarray:
    span = schema.span(name)
    return join(Words(batch.high[:, span], batch.low[:, span]))


def named(*rows: list) -> list[list[int]]:
    """Fingerprints of padded rows; "-" is padding."""
    return [[0 if v == "-" else int(fingerprint([v])[0]) for v in row] for row in rows]


def test_places_lie_side_by_side_in_the_order_of_the_features():
    spans = [SCHEMA.span(feature.name) for feature in SCHEMA.categorical]
    assert spans == [slice(0, 1), slice(1, 3), slice(3, 6), slice(6, 7)]
    assert SCHEMA.places == 7
    assert [feature.name for feature in SCHEMA.numeric] == ["age", "price"]


def test_a_categorical_feature_holds_fingerprints_and_missing_is_a_value():
    batch = SCHEMA.encode(LOG)
    assert keys(batch, SCHEMA, "user").tolist() == named(["ann"], [None], ["bob"])
    assert batch.valid[:, SCHEMA.span("user")].all()


def test_a_bag_keeps_its_first_values_and_pads():
    batch = SCHEMA.encode(LOG)
    assert keys(batch, SCHEMA, "genres").tolist() == named(["a", "b"], ["-", "-"], ["-", "-"])
    valid = batch.valid[:, SCHEMA.span("genres")].tolist()
    assert valid == [[True, True], [False, False], [False, False]]


def test_a_sequence_keeps_its_last_values_and_leaves_missing_ones_out():
    batch = SCHEMA.encode(LOG)
    assert keys(batch, SCHEMA, "history").tolist() == named([2, 3, 4], [5, "-", "-"], [6, 7, "-"])
    valid = batch.valid[:, SCHEMA.span("history")].tolist()
    assert valid == [[True, True, True], [True, False, False], [True, True, False]]


def test_a_cross_combines_its_columns():
    crossed = combine(fingerprint(LOG["user"]), fingerprint(LOG["item"]))
    assert np.array_equal(keys(SCHEMA.encode(LOG), SCHEMA, "user_item")[:, 0], crossed)


def test_numbers_and_labels_are_float32_and_missing_numbers_zero():
    batch = SCHEMA.encode(LOG)
    assert batch.numbers.tolist() == [[31, 0.5], [0, 2], [44, 0]]
    assert batch.label.tolist() == [1, 0, 1]
    assert {a.dtype for a in (batch.numbers, batch.label, batch.weight)} == {np.dtype(np.float32)}


def test_labels_are_zero_and_weights_one_where_there_are_none():
    schema = Schema((Feature("user"),), weight="weight")
    batch = schema.encode({"user": ["a", "b"]})
    assert (batch.label.tolist(), batch.weight.tolist()) == ([0, 0], [1, 1])
    assert schema.encode({"user": ["a"], "weight": [2.5]}).weight.tolist() == [2.5]


def test_a_log_without_rows_is_an_empty_batch():
    batch = SCHEMA.encode({name: [] for name in LOG})
    assert (len(batch), batch.low.shape, batch.numbers.shape) == (0, (0, 7), (0, 2))


ROWS = st.lists(st.lists(st.none() | st.integers(0, 9), max_size=6), min_size=1, max_size=8)


@pytest.mark.slow
@given(ROWS, st.integers(1, 5), st.sampled_from(["bag", "sequence"]))
def test_padding_agrees_with_slices_of_lists(rows, length, kind):
    schema = Schema((Feature("x", kind, length=length),))
    batch = schema.encode({"x": rows})
    for at, row in enumerate(rows):
        there = [value for value in row if value is not None]
        kept = there[:length] if kind == "bag" else there[-length:]
        assert batch.valid[at].tolist() == [place < len(kept) for place in range(length)]
        assert keys(batch, schema, "x")[at, : len(kept)].tolist() == fingerprint(kept).tolist()


@pytest.mark.parametrize(
    "column",
    [
        np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [np.nan] * 3]),
        np.ma.masked_equal([[1, 2, 9], [3, 9, 9], [9, 9, 9]], 9),
        [np.array([1, 2]), np.array([3]), np.array([])],
        pa.array([[1, 2], [3], None]),
        [(1, 2), ("3",), float("nan")],
    ],
    ids=["matrix", "masked", "arrays", "arrow", "tuples"],
)
def test_lists_come_in_many_forms(column):
    schema = Schema((Feature("x", "bag", length=2),))
    batch = schema.encode({"x": column})
    assert keys(batch, schema, "x").tolist() == named([1, 2], [3, "-"], ["-", "-"])


def test_a_vocabulary_turns_values_into_ranks_by_frequency():
    train = {"user": ["a", "b", "b"], "bag": [["x"], ["y", "y"], ["y", None]], "other": [1, 2, 3]}
    plain = Schema((Feature("user"), Feature("bag", "bag", length=2), Feature("other")))
    schema, vocabularies = plain.with_vocabularies(train, names=["user", "bag"])
    assert [feature.values for feature in schema.features] == [3, 3, None]
    batch = schema.encode({**train, "user": ["b", "new", None]}, vocabularies)
    assert keys(batch, schema, "user").tolist() == [[0], [2], [2]]
    assert keys(batch, schema, "bag").tolist() == [[1, 0], [0, 0], [0, 0]]
    assert batch.valid[:, 1:3].tolist() == [[True, False], [True, True], [True, False]]
    assert np.array_equal(keys(batch, schema, "other")[:, 0], fingerprint([1, 2, 3]))


def test_vocabularies_are_for_all_features_and_crosses_unless_named():
    schema, vocabularies = SCHEMA.with_vocabularies(LOG, min_count=1, max_values=2)
    assert sorted(vocabularies) == ["genres", "history", "user", "user_item"]
    assert keys(schema.encode(LOG, vocabularies), schema, "user_item").max() == 2


def test_a_column_of_ranks_needs_no_vocabulary():
    schema = Schema((Feature("x", values=4), Feature("y", "bag", length=2, values=3)))
    batch = schema.encode({"x": [3, 0], "y": [[2], []]})
    assert batch.low.tolist() == [[3, 2, 0], [0, 0, 0]]
    assert batch.valid.tolist() == [[True, True, False], [True, False, False]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "empty"),
        ({"name": "x", "length": 0, "kind": "bag"}, "length=0"),
        ({"name": "x", "length": 3}, "one place, got length=3"),
        ({"name": "x", "lookups": 0}, "lookups=0"),
        ({"name": "x", "values": 0}, "values=0"),
        ({"name": "x", "values": 2**31}, "values=2147483648"),
        ({"name": "x", "kind": "numeric", "values": 5}, "reads no table"),
        ({"name": "x", "kind": "bag", "cross": ("a", "b")}, "make it categorical"),
        ({"name": "x", "cross": ("a",)}, "two or more"),
        ({"name": "x", "cross": ("a", "a")}, "two or more"),
        ({"name": "x", "kind": "categorial"}, "categorial"),
        ({"name": "x", "pooling": "max"}, "max"),
    ],
)
def test_impossible_features_are_refused(fields, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Feature(**fields)


def test_impossible_schemas_are_refused():
    with pytest.raises(ValueError, match="got none"):
        Schema(())
    with pytest.raises(ValueError, match=r"\['x'\] again"):
        Schema((Feature("x"), Feature("x", "numeric")))
    with pytest.raises(ValueError, match="must not see"):
        Schema((Feature("x", cross=("a", "clicked")),), label="clicked")


def test_a_span_of_an_unknown_or_numeric_feature_is_refused():
    with pytest.raises(ValueError, match=r"'age'.*are user, genres"):
        SCHEMA.span("age")
    with pytest.raises(ValueError, match="'nobody'"):
        SCHEMA.with_vocabularies(LOG, names=["nobody"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": ["a"]}, "one length, got .*'user': 1"),
        ({"user": [["a"], ["b"], ["c"]]}, "Column 'user'.*got list at position 0"),
        ({"user": np.zeros((3, 2), int)}, r"got shape \(3, 2\)"),
        ({"genres": [["a"], "b|c", []]}, "got 'b|c' at row 1"),
        ({"genres": [[["a"]], [], []]}, "Column 'genres'.*got list"),
        ({"history": [[1], 2, []]}, "got 2 at row 1"),
        ({"age": [1, 2, "old"]}, "'age'.*got 'old' at row 2"),
        ({"age": [1, [2], 3]}, "at row 1"),
        ({"price": [1.0, float("inf"), 0.0]}, "at row 1"),
        ({"price": [1e300, 0.0, 0.0]}, "at row 0"),
        ({"price": np.zeros((3, 2))}, "one number in each row"),
        ({"label": [1, None, 0]}, "'label'.*got nan at row 1"),
    ],
)
def test_bad_columns_are_refused_by_name_and_row(change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SCHEMA.encode({**LOG, **change})


def test_a_missing_column_is_named_with_what_came():
    with pytest.raises(ValueError, match=r"columns \['user'\], got \['item'\]"):
        Schema((Feature("user"),)).encode({"item": [1]})


def test_a_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"at least 0.0.*-1.0 at row 0"):
        Schema((Feature("x"),), weight="w").encode({"x": [1], "w": [-1]})


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([0, 4], "ranks from 0 to 3, got 4"),
        ([-1, 0], "got -1"),
        (["a", "b"], "a rank in each row, got object"),
        (np.ma.masked_equal([0, 1], 1), "got object"),
        (np.zeros((2, 2), int), r"got int64 \(2, 2\)"),
    ],
)
def test_a_column_that_holds_no_ranks_wants_a_vocabulary(column, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Schema((Feature("x", values=4),)).encode({"x": column})


def test_vocabularies_that_do_not_belong_to_the_schema_are_refused():
    vocabulary = Vocabulary.fit(fingerprint(["a", "b", "c"]))
    for values in (None, 3):
        with pytest.raises(ValueError, match=f"values={values}, got a vocabulary of 4"):
            Schema((Feature("x", values=values),)).encode({"x": ["a"]}, {"x": vocabulary})
    cross = Schema((Feature("x", cross=("a", "b"), values=3),))
    with pytest.raises(ValueError, match="crosses columns, got no vocabulary"):
        cross.encode({"a": [1], "b": [2]})


@pytest.mark.slow
@pytest.mark.parametrize("module", ["recsys.features.hashing", "recsys.features.schema"])
def test_a_server_needs_no_reader_of_files(module):
    absent = dict.fromkeys(["grain", "pyarrow", "pandas", "tomlkit"])
    code = f"import sys; sys.modules.update({absent}); import {module}"
    subprocess.run([sys.executable, "-c", code], check=True)
