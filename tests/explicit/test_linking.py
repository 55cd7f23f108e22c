"""Links: texts find the skills whose words they use, and those of documents like them."""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from recsys.explicit import Documents, Inventory, Linker

INVENTORY = Inventory(("baking", "welding", "sewing"), ("kneading dough", "joining metal", ""))
TRAIN = Documents.of(
    ("loaves of bread", "plates of steel", "shirts and trousers", "bread"),
    INVENTORY,
    known=(["baking"], ["welding"], ["sewing"], ["baking"]),
)


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker.learn(INVENTORY, [TRAIN], most=2)


def test_a_text_is_linked_to_the_skill_whose_words_it_uses(linker):
    linked = linker.link(["They kneaded doughs.", "joins metals"])
    assert linked.toarray().argmax(axis=1).tolist() == [0, 1]


def test_documents_that_have_a_skill_lend_it_their_words(linker):
    assert linker.link(["trousers"]).indices.tolist() == [2]
    alone = Linker.learn(INVENTORY, [TRAIN], examples=0.0)
    assert alone.link(["trousers"]).nnz == 0


def test_links_have_length_one_and_are_no_more_than_allowed(linker):
    linked = linker.link(["bread and steel shirts, welding and sewing"])
    assert np.diff(linked.indptr).tolist() == [2]
    assert np.linalg.norm(linked.toarray(), axis=1) == pytest.approx(1)


def test_a_skill_that_all_texts_are_linked_to_is_linked_still():
    both = Inventory(("baking bread", "selling bread"))
    linker = Linker.learn(both, [Documents.of(["bread", "more bread"], both)])
    linked = linker.link(["baking bread"]).toarray()[0]
    assert linked[0] > linked[1] > 0


@pytest.mark.parametrize("text", ["", "面包", "the of and", "?!"])
def test_a_text_without_known_words_is_linked_to_nothing(linker, text):
    assert linker.link([text]).nnz == 0


def test_no_text_at_all_gives_no_rows(linker):
    assert linker.link([]).shape == (0, 3)


def test_a_very_long_text_is_read_up_to_its_bound(linker):
    assert linker.link(["bread " * 50_000]).indices.tolist() == [0]


def test_stated_skills_stay_beside_links(linker):
    told = Documents(
        ("bread",),
        csr_array(np.array([[0, 0, 1]], np.float32)),
        csr_array((1, 3), dtype=np.float32),
    )
    given = linker.linked(told, gain=4.0).given.toarray()
    assert given[0] == pytest.approx([4, 0, 1])


def test_words_are_called_by_their_commonest_form(linker):
    assert "the word 'bread'" in linker.names
    told = Documents.of(["kneads", "kneading dough", "kneading"], INVENTORY)
    names = Linker.learn(Inventory(("baking",)), [told], examples=0.0).names
    assert names == ("the word 'baking'", "the word 'dough'", "the word 'kneading'")


def test_words_count_by_their_rarity_and_as_many_as_allowed(linker):
    _, found = linker.read(["bread, of shirts: bread", ""])
    words = found.toarray()
    assert np.linalg.norm(words, axis=1) == pytest.approx([1, 0])
    assert {linker.forms[place] for place in np.flatnonzero(words[0])} == {"bread", "shirts"}
    _, few = dataclasses.replace(linker, most_words=1).read(["bread, shirts, trousers"])
    assert few.nnz == 1
    assert [part.shape[0] for part in linker.read([])] == [0, 0]


def test_links_by_themselves_are_a_space_of_skills_and_words(linker):
    texts = ("loaves of bread", "bread", "plates")
    told = Documents.of(texts, INVENTORY, given=[["sewing"], [], []])
    vectors = linker.vectors(told, gain=2.0, share=0.25)
    assert vectors.shape == (3, len(INVENTORY) + len(linker.names))
    skills, words = vectors.toarray()[:, :3], vectors.toarray()[:, 3:]
    assert np.linalg.norm(skills, axis=1) == pytest.approx(np.full(3, 0.75**0.5))
    assert np.linalg.norm(words, axis=1) == pytest.approx(np.full(3, 0.25**0.5))
    assert (skills > 0).sum(axis=1).max() == 2  # most, with stated ones
    alone = linker.vectors(told, gain=2.0, share=0.0)
    assert alone.toarray() == pytest.approx(skills / 0.75**0.5)


def test_common_skills_count_less_than_rare_ones():
    texts = ("bread",) * 9 + ("steel",)
    known = (["baking"],) * 9 + (["welding"],)
    found = Linker.learn(INVENTORY, [Documents.of(texts, INVENTORY, known=known)])
    assert found.rarity[1] > found.rarity[0]
