"""Protocols: other words, unseen occupations, and relevance from another table than skills."""

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from experiments.explicit import esco, movies, onet
from experiments.explicit.protocol import SAME, Protocol, check, deal, graded, shared_lines
from tests.experiments.explicit.bases import OCCUPATIONS, esco_base, onet_base, ratings


@pytest.fixture(scope="module", params=["onet", "esco"])
def made(request) -> Protocol:
    if request.param == "onet":
        return onet.arrange(onet_base(), ratings(), seed=1)
    return esco.arrange(esco_base(), seed=1)


def test_no_occupation_is_in_two_splits_and_none_is_lost(made):
    members = [occupation for part in made.parts.values() for occupation in part.job_of.tolist()]
    assert sorted(members) == list(range(OCCUPATIONS))
    for part in made.parts.values():
        assert {*part.profile_of.tolist()} == {*part.job_of.tolist()}


def test_a_profile_shares_no_line_with_a_job_of_its_occupation(made):
    assert [shared_lines(part) for part in made.parts.values()] == [[], [], []]


def test_every_profile_has_its_own_job_as_the_best(made):
    for part in made.parts.values():
        grades = part.relevance.grades.toarray()
        own = part.profile_of[:, None] == part.job_of[None, :]
        assert (grades[own] == SAME).all()
        assert (grades[~own] < SAME).all()


def test_documents_state_only_skills_that_their_occupation_has(made):
    for part in made.parts.values():
        for documents in (part.relevance.profiles, part.relevance.jobs):
            assert documents.given.nnz
            assert not (documents.given.toarray() > documents.known.toarray()).any()


def test_without_skills_nobody_states_one_and_all_else_stays(made):
    silent = made.without_skills()
    for name, part in silent.parts.items():
        before = made.parts[name].relevance
        assert part.relevance.profiles.given.nnz == part.relevance.jobs.given.nnz == 0
        assert part.relevance.profiles.texts == before.profiles.texts
        assert part.relevance.jobs.known.nnz == before.jobs.known.nnz


def test_the_seed_decides(made):
    base = onet_base()
    first, again, other = (onet.arrange(base, None, seed=seed) for seed in (5, 5, 6))
    texts = [one.parts["train"].relevance.profiles.texts for one in (first, again, other)]
    assert texts[0] == texts[1] != texts[2]


def test_groups_are_dealt_whole():
    groups = [str(n // 4) for n in range(80)]
    parts = deal(groups, rng=np.random.default_rng(0))
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 48,
        "valid": 8,
        "test": 24,
    }
    where = [{groups[n] for n in part.tolist()} for part in parts.values()]
    assert not where[0] & where[1]
    assert not (where[0] | where[1]) & where[2]


def test_grades_of_occupations_become_those_of_documents():
    relation = csr_array(np.array([[0, 3, 0], [1, 0, 0], [0, 0, 0]], np.float32))
    grades = graded(relation, np.array([0, 0, 1]), np.array([1, 0]))
    assert grades.toarray().tolist() == [[3, 4], [3, 4], [4, 1]]


def test_an_occupation_in_two_splits_is_refused(made):
    part = made.parts["train"]
    doubled = dataclasses.replace(made, parts={**made.parts, "test": part})
    relation = csr_array((OCCUPATIONS, OCCUPATIONS), dtype=np.float32)
    with pytest.raises(ValueError, match=r"each occupation in one split, and .* train and test"):
        check(doubled, supervised=relation, relation=relation)


def test_a_job_that_says_what_its_profile_says_is_refused(made):
    part = made.parts["train"]
    told = part.relevance
    line = told.profiles.texts[0].splitlines()[0]
    spoken = dataclasses.replace(told.jobs, texts=(f"A\n{line}", *told.jobs.texts[1:]))
    leaking = dataclasses.replace(part, relevance=dataclasses.replace(told, jobs=spoken))
    parts = {"train": leaking}
    relation = csr_array((OCCUPATIONS, OCCUPATIONS), dtype=np.float32)
    with pytest.raises(ValueError, match=r"other words in profiles than in their jobs"):
        check(dataclasses.replace(made, parts=parts), supervised=relation, relation=relation)


def test_relevance_by_the_overlap_of_supervised_skills_is_refused(made):
    links = esco_base().essential
    overlap = csr_array((links @ links.T).astype(bool).astype(np.float32))
    with pytest.raises(ValueError, match=r"relevance from another table than the skills"):
        check(made, supervised=links, relation=overlap)


def test_activities_are_known_but_never_stated():
    inventory, links, stateable = onet.skills(onet_base())
    activities = [n for n, name in enumerate(inventory.names) if name.startswith("Do")]
    assert links.toarray()[:, activities].any()
    assert not stateable.toarray()[:, activities].any()


def test_skills_of_one_label_are_told_apart():
    names = esco.inventory(esco_base()).names
    assert names[:3] == ("skill 1", "skill 1 (knowledge)", "skill 2")


def test_the_hierarchy_grades_unit_groups_above_minor_groups():
    grades = esco.hierarchy(esco_base().occupations).toarray()
    assert (grades[0, 2], grades[0, 1], grades[0, 3]) == (2, 1, 0)


def test_optional_skills_in_common_are_graded_by_their_cosine():
    links = csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], np.float32))
    grades = esco.overlap(links).toarray()
    assert grades[0, 1] == 3
    assert 0 < grades[0, 2] < 3
    assert not grades[3].any()


def test_ratings_that_go_together_are_near():
    near = onet.correlation(np.array([[5.0, 1, 1], [5, 1, 2], [1, 5, 5]]))
    assert near[0].argmax() == 1
    assert np.isneginf(np.diag(near)).all()


def test_films_are_two_halves_of_their_texts_and_related_by_who_likes_them():
    rng = np.random.default_rng(0)
    texts = [f"Film {n} begins. It goes on {n}. It ends {n}." for n in range(30)]
    likes = csr_array((rng.random((30, 40)) < 0.5).astype(np.float32))
    made = movies.arrange(texts, [("Drama", "War")[: 1 + n % 2] for n in range(30)], likes,
                          seed=0, likers=1)  # fmt: skip
    assert made.inventory.names == ("Drama", "War")
    assert movies.halved(texts[3]) == ("Film 3 begins.", "It goes on 3.\nIt ends 3.")
    grades = made.parts["train"].relevance.grades.toarray()
    assert (np.sort(grades[0])[::-1][:11] == [4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1]).all()
