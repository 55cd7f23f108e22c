"""Missing values and text: what stands in for a cell that holds nothing, in any column."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.features import Feature, Schema, Words, fingerprint, join

FORMS = [list, pa.array, lambda cells: pa.array(cells).dictionary_encode()]


def encoded(feature: Feature, cells: list, form=list) -> list[list[int | None]]:
    """The keys of a feature by row; None is padding."""
    batch = Schema((feature,), label=None).encode({feature.name: form(cells)})
    keys = join(Words(batch.high, batch.low)).tolist()
    rows = zip(keys, batch.valid.tolist(), strict=True)
    return [[key if there else None for key, there in zip(*row, strict=True)] for row in rows]


def named(*rows: list) -> list[list[int | None]]:
    return [[None if v == "-" else int(fingerprint([v])[0]) for v in row] for row in rows]


@pytest.mark.parametrize("form", FORMS, ids=["list", "arrow", "dictionary"])
def test_a_default_is_the_value_of_a_missing_one(form):
    cells = ["a", None, "", "b"]
    assert encoded(Feature("x", default="b"), cells, form) == named(["a"], ["b"], ["b"], ["b"])
    assert encoded(Feature("x"), cells, form) == named(["a"], [None], [None], ["b"])


@pytest.mark.parametrize("kind", ["bag", "sequence"])
def test_a_default_fills_a_list_in_which_nothing_is_left(kind):
    feature = Feature("x", kind, length=2, default="z")
    cells = [["a", None], [], None, [None]]
    wanted = named(["a", "-"], ["z", "-"], ["z", "-"], ["z", "-"])
    assert encoded(feature, cells) == encoded(feature, cells, pa.array) == wanted


@pytest.mark.parametrize("form", FORMS, ids=["list", "arrow", "dictionary"])
def test_a_separator_cuts_cells_and_their_default(form):
    feature = Feature("x", "bag", length=3, separator="|", default="y|z")
    cells = ["a| b", None, "", "c||d "]
    wanted = named(["a", "b", "-"], ["y", "z", "-"], ["y", "z", "-"], ["c", "d", "-"])
    assert encoded(feature, cells, form) == wanted


@pytest.mark.parametrize("form", FORMS[:2], ids=["list", "arrow"])
def test_a_text_is_its_first_words_in_small_letters(form):
    feature = Feature("x", "text", length=3)
    cells = ["Señor O'Neil, again!", "One", None, "--"]
    wanted = named(["señor", "o", "neil"], ["one", "-", "-"], ["-"] * 3, ["-"] * 3)
    assert encoded(feature, cells, form) == wanted
    filled = Feature("x", "text", length=3, default="No title")
    assert encoded(filled, cells, form)[2:] == named(["no", "title", "-"], ["no", "title", "-"])


def test_a_text_may_have_a_vocabulary_of_its_words():
    schema = Schema((Feature("title", "text", length=2),), label=None)
    learned, vocabularies = schema.with_vocabularies({"title": ["red car", "red", "RED bus"]})
    assert learned.features[0].values == 4
    batch = learned.encode({"title": ["Red plane"]}, vocabularies)
    assert batch.low.tolist() == [[0, 3]]


def test_a_default_is_counted_by_a_vocabulary():
    schema = Schema((Feature("x", default="b"),), label=None)
    learned, vocabularies = schema.with_vocabularies({"x": ["a", "a", None, None, "b"]})
    np.testing.assert_array_equal(vocabularies["x"].counts, [3, 2])
    assert learned.encode({"x": [None, "new"]}, vocabularies).low.tolist() == [[0], [2]]


def test_labels_of_a_word_or_of_at_least_a_number_are_one():
    columns = {"x": ["a", "b", "c"], "y": ["yes", "no", "YES"], "stars": [5, 3, "4"]}
    by_word = Schema((Feature("x"),), label="y", positive="yes")
    by_number = Schema((Feature("x"),), label="stars", positive=4.0)
    assert by_word.encode(columns).label.tolist() == [1, 0, 0]
    assert by_number.encode(columns).label.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="a label in each row, got None at row 1"):
        by_word.encode({**columns, "y": ["yes", None, "no"]})


def test_keys_and_times_stand_beside_the_features():
    schema = Schema((Feature("x"),), label=None, user="who", timestamp="when")
    columns = {"x": ["a"], "who": ["ann"], "when": ["1970-01-01T00:01"]}
    np.testing.assert_array_equal(schema.keys("user", columns), fingerprint(["ann"]))
    assert schema.timestamps(columns).tolist() == [60]
    assert schema.columns == ("x", "when", "who")
    with pytest.raises(ValueError, match="tells the item, got none: set item"):
        schema.keys("item", columns)
