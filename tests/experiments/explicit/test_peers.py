"""Peers: each finds the document with the same words or skills, and settings are chosen."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from experiments.explicit import peers
from recsys.explicit import Documents, Inventory, Relevance

INVENTORY = Inventory(("baking", "welding", "sewing"), ("bread and ovens", "steel and torches", ""))
PROFILES = ("kneads bread for ovens", "joins steel with torches")
JOBS = ("They join plates of steel.", "They bake bread.")


def task(*, given: list[list[float]] | None = None) -> Relevance:
    nothing = csr_array((2, 3), dtype=np.float32)
    stated = csr_array(np.array(given, np.float32)) if given else nothing
    swapped = csr_array(np.array(given, np.float32)[::-1].copy()) if given else nothing
    return Relevance(
        Documents(PROFILES, stated, nothing),
        Documents(JOBS, swapped, nothing),
        csr_array(np.array([[0, 1], [1, 0]], np.float32)),
    )


@pytest.mark.parametrize(
    "peer",
    [
        peers.BM25(),
        peers.TFIDF(),
        peers.TFIDF("char_wb", 4),
        peers.TFIDF("stem"),
        peers.ESA(active=1),
        peers.LSA(2),
    ],
    ids=lambda peer: f"{type(peer).__name__}",
)
def test_words_in_common_win(peer):
    scores = peer(task(), train=task(), inventory=INVENTORY)
    assert scores.argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize("is_weighted", [True, False])
def test_stated_skills_in_common_win(is_weighted):
    told = task(given=[[1, 0, 1], [0, 1, 1]])
    scores = peers.SkillsOnly(is_weighted)(told, train=told, inventory=INVENTORY)
    assert scores.argmax(axis=1).tolist() == [1, 0]
    assert scores.max() == pytest.approx(1)


def test_words_are_told_the_names_of_stated_skills():
    told = task(given=[[0, 0, 1], [0, 0, 0]])
    assert peers.words(told.profiles, INVENTORY) == (f"{PROFILES[0]}\nsewing", PROFILES[1])


def test_esa_keeps_no_more_concepts_than_it_is_allowed():
    vectors = peers.ESA(active=1).vectors(("bread and steel torches",), INVENTORY)
    assert vectors.indices.tolist() == [1]


def test_the_best_setting_on_validation_is_taken():
    told = task(given=[[1, 0, 0], [0, 1, 0]])
    grid = (peers.SkillsOnly(), peers.BM25())

    def measure(scores, grades):
        return float(scores[grades.toarray() > 0].mean())

    best = peers.choose(grid, told, train=told, inventory=INVENTORY, measure=measure)
    assert best == max(grid, key=lambda p: measure(p(told, train=told, inventory=INVENTORY),
                                                   told.grades))  # fmt: skip
