"""Inventories and documents: what they hold, and what they refuse in one sentence."""

import numpy as np
import pytest
from scipy import sparse

from recsys.explicit import Documents, Inventory, Relevance
from recsys.features.links import largest

SKILLS = Inventory(("Python", "baking bread", "SQL"), ("a language", "", "of data bases"))


def test_a_skill_is_found_by_its_name_in_any_letters():
    assert [SKILLS.number(name) for name in ("SQL", "python", " Baking Bread ")] == [2, 0, 1]
    assert SKILLS.texts == ("Python. a language", "baking bread", "SQL. of data bases")


def test_an_unknown_skill_is_refused_with_those_that_look_like_it():
    with pytest.raises(ValueError, match="called 'Pyton': use one of their names, as 'Python'"):
        SKILLS.number("Pyton")
    with pytest.raises(ValueError, match=r"use one of their names\."):
        SKILLS.number("welding")


def test_skills_that_differ_in_letters_alone_are_told_apart_exactly():
    inventory = Inventory(("go", "Go"))
    assert [inventory.number(name) for name in ("go", "Go")] == [0, 1]
    with pytest.raises(ValueError, match="as 'go' or 'Go'"):
        inventory.number("GO")


@pytest.mark.parametrize(
    ("names", "descriptions", "told"),
    [
        ((), (), "at least one skill"),
        (("a", " "), (), "got ' ' for number 1"),
        (("a", "b", "a"), (), "each skill once, got 'a' as number 0 and as number 2"),
        (("a", "b"), ("only one",), "for each of 2 skills"),
    ],
)
def test_an_inventory_of_nothing_or_of_one_thing_twice_is_refused(names, descriptions, told):
    with pytest.raises(ValueError, match=told):
        Inventory(names, descriptions)


def test_an_inventory_is_what_it_was_when_opened(tmp_path):
    SKILLS.save(tmp_path / "inventory.json")
    assert Inventory.open(tmp_path / "inventory.json") == SKILLS


def test_documents_take_skills_by_name_and_by_grade():
    rows = [["SQL", "sql"], {"Python": 0.5, "python": 0.25}]
    documents = Documents.of(["first", ""], SKILLS, given=rows)
    np.testing.assert_array_equal(documents.given.toarray(), [[0, 0, 1], [0.5, 0, 0]])
    assert documents.known.nnz == 0
    taken = documents.take(np.array([1]))
    assert taken.texts == ("",)
    np.testing.assert_array_equal(taken.given.toarray(), [[0.5, 0, 0]])


@pytest.mark.parametrize(
    ("texts", "given", "known", "told"),
    [
        (("a",), np.zeros((2, 3)), np.zeros((1, 3)), "a row of given a text, got 2 rows for 1"),
        (("a",), np.zeros((1, 3)), np.zeros((1, 4)), "one inventory, got 3 and 4 skills"),
        (("a",), -np.ones((1, 3)), np.zeros((1, 3)), "given are finite and at least 0"),
        (("a",), np.zeros((1, 3)), np.full((1, 3), np.nan), "known are finite"),
    ],
)
def test_documents_that_do_not_fit_together_are_refused(texts, given, known, told):
    with pytest.raises(ValueError, match=told):
        Documents(texts, sparse.csr_array(given), sparse.csr_array(known))


def test_words_of_documents_are_taken_with_them():
    nothing = sparse.csr_array((2, 3), dtype=np.float32)
    documents = Documents(("a", "b"), nothing, nothing, sparse.csr_array([[0.0, 1.0], [2.0, 0.0]]))
    taken = documents.take(np.array([1]))
    assert taken.words is not None
    np.testing.assert_array_equal(taken.words.toarray(), [[2, 0]])
    with pytest.raises(ValueError, match="a row of words a text, got 1 rows for 2"):
        Documents(("a", "b"), nothing, nothing, taken.words)


def test_of_many_entries_the_largest_are_kept():
    rows = sparse.csr_array(np.array([[1.0, 3, 2], [0, 0, 0], [0, 0, 4]], np.float32))
    np.testing.assert_array_equal(largest(rows, 2).toarray(), [[0, 3, 2], [0, 0, 0], [0, 0, 4]])
    np.testing.assert_array_equal(largest(rows, 1).toarray(), [[0, 3, 0], [0, 0, 0], [0, 0, 4]])


def test_grades_of_other_documents_are_refused():
    documents = Documents.of(["a", "b"], SKILLS)
    with pytest.raises(ValueError, match="2 profiles and 2 jobs, got 3 and 2"):
        Relevance(documents, documents, sparse.csr_array(np.ones((3, 2))))
