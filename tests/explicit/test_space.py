"""A fitted space: its scores are sums of named shares, and every document has an answer."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from recsys.explicit import Documents, Inventory, Space, fit
from recsys.index import build
from recsys.index.sparse import Sparse
from tests.explicit.toy import INVENTORY, SKILLS, SMALL, market

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("explicit")]

TEST = market(2)
ODD = (
    "",
    "wants wants3word1",
    "软件工程师 熟悉数据库",
    "did did3word1 " * 8_000,  # more than 100,000 characters
    "\ud800 \x00 �",
)


@pytest.fixture(scope="module")
def space() -> Space:
    settings = dataclasses.replace(SMALL, epochs=4)
    return fit(settings, INVENTORY, market(0, given=True), progress=False)


@pytest.fixture(scope="module")
def odd(space: Space) -> Documents:
    """Strange texts, and one document of skills alone."""
    given = [()] * len(ODD) + [[INVENTORY.names[4], INVENTORY.names[7]]]
    return space.documents([*ODD, ""], given=given)


def test_shares_sum_to_the_score(space: Space):
    profiles, jobs = TEST.profiles, TEST.jobs
    scores = space.score(profiles, jobs)
    found = space.explain_pairs(profiles, jobs)
    told = [sum(share for _, share in pair) for pair in found]
    np.testing.assert_allclose(told, np.diagonal(scores), atol=1e-5)
    assert scores.min() >= 0
    assert all(share > 0 for pair in found for _, share in pair)
    assert [pair for pair in found if len(pair) > 1]  # more than one reason


def test_one_explanation_is_that_of_its_pair(space: Space):
    first = np.array([0])
    alone = space.explain(TEST.profiles.take(first), TEST.jobs.take(first))
    pair = space.explain_pairs(TEST.profiles, TEST.jobs)[0]
    assert [name for name, _ in alone] == [name for name, _ in pair]
    np.testing.assert_allclose([s for _, s in alone], [s for _, s in pair], atol=1e-5)
    assert sorted((share for _, share in alone), reverse=True) == [share for _, share in alone]


def test_taking_a_skill_away_moves_the_score_by_exactly_its_share(space: Space):
    profile, job = TEST.profiles.texts[0], TEST.jobs.texts[0]
    shares = space.explain(profile, job)
    for name, share in shares[:3]:
        found = space.what_if(profile, job, {name: 0.0})
        assert found.before - found.after == pytest.approx(share, abs=1e-7)
        assert found.moved == ((name, pytest.approx(-share, abs=1e-7)),)
    gone = space.what_if(profile, job, {name: 0.0 for name, _ in shares})
    assert gone.after == pytest.approx(0, abs=1e-6)
    assert gone.before == pytest.approx(space.score(*_pair(space, profile, job))[0, 0], abs=1e-5)


def test_a_gap_is_what_having_the_skill_would_add(space: Space):
    profile, job = TEST.profiles.texts[0], TEST.jobs.texts[1]
    gap = space.gap(profile, job)
    assert [won for _, won in gap] == sorted((won for _, won in gap), reverse=True)
    for name, won in gap:
        found = space.what_if(profile, job, {name: 1.0})
        assert found.after - found.before == pytest.approx(won, abs=1e-6)


def test_skills_that_are_stated_are_in_the_vector(space: Space, odd: Documents):
    vector = space.profile_vectors(odd)[[len(ODD)]].toarray()[0]
    assert {4, 7} <= set(np.flatnonzero(vector))
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_strange_documents_have_vectors_and_those_that_say_nothing_score_zero(
    space: Space, odd: Documents
):
    vectors = space.profile_vectors(odd).toarray()
    assert vectors.shape == (len(odd), SKILLS)
    assert np.all(np.isfinite(vectors))
    assert np.all(vectors >= 0)
    assert not vectors[0].any()
    assert not vectors[4].any()
    assert not space.score(odd, TEST.jobs)[[0, 4]].any()
    assert space.explain("", "anything") == []
    assert space.what_if("", "", {INVENTORY.names[0]: 1.0}).after == 0


def test_a_long_text_is_its_first_words(space: Space):
    words = ODD[3].split()[: SMALL.words]
    short, long = space.documents([" ".join(words)]), space.documents([ODD[3]])
    np.testing.assert_allclose(
        space.profile_vectors(short).toarray(), space.profile_vectors(long).toarray(), atol=1e-6
    )


def test_no_document_has_more_skills_than_are_allowed(space: Space):
    for vectors in (space.profile_vectors(TEST.profiles), space.job_vectors(TEST.jobs)):
        active = np.diff(vectors.indptr)
        assert active.max() <= SMALL.active
        assert active.max() > 1


def test_an_inverted_index_finds_what_all_scores_say(space: Space):
    vectors = space.job_vectors(TEST.jobs).toarray()
    found = build(Sparse(reasons=SMALL.active), vectors).search(
        space.profile_vectors(TEST.profiles).toarray(), 10
    )
    best = -np.sort(-space.score(TEST.profiles, TEST.jobs), axis=1)[:, :10]
    np.testing.assert_allclose(found.scores, best, atol=1e-5)
    assert found.reasons is not None
    np.testing.assert_allclose(found.reasons.shares.sum(axis=-1), best, atol=1e-5)


def test_vectors_are_the_same_whatever_stands_beside_a_document(space: Space):
    whole = space.job_vectors(TEST.jobs).toarray()
    for some in (np.array([3]), np.arange(5), np.arange(40)):
        part = space.job_vectors(TEST.jobs.take(some)).toarray()
        np.testing.assert_allclose(part, whole[some], atol=1e-5)


def test_a_frozen_space_has_the_same_vectors(space: Space):
    frozen = nnx.clone(space.model)
    frozen.embed = frozen.embed.freeze()
    served = Space(frozen, space.inventory, space.settings)
    np.testing.assert_allclose(
        served.job_vectors(TEST.jobs).toarray(),
        space.job_vectors(TEST.jobs).toarray(),
        atol=1e-6,
    )


def test_a_saved_space_opens_as_it_was(space: Space, tmp_path):
    space.save(tmp_path / "space")
    found = Space.open(tmp_path / "space")
    assert (found.inventory, found.settings, found.epoch) == (space.inventory, space.settings, 4)
    assert found.history == space.history
    first = np.array([0])
    assert found.explain(TEST.profiles.take(first), TEST.jobs.take(first)) == space.explain(
        TEST.profiles.take(first), TEST.jobs.take(first)
    )
    with pytest.raises(FileExistsError, match="is not empty"):
        space.save(tmp_path / "space")


def test_what_is_no_space_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="has an inventory"):
        Space.open(tmp_path)


def test_questions_that_have_no_answer_are_one_sentence(space: Space):
    with pytest.raises(ValueError, match="called 'skill 3 of craft': use one of"):
        space.what_if("a", "b", {"skill 3 of craft": 1.0})
    with pytest.raises(ValueError, match="value of at least 0, got -1"):
        space.what_if("a", "b", {INVENTORY.names[0]: -1.0})
    with pytest.raises(ValueError, match="as 'skill 3 of craft3'"):
        space.documents(["a"], given=[["skill 3 of craft"]])
    with pytest.raises(ValueError, match="of a profile or a job, got 'boss'"):
        space.skills("a", side="boss")
    with pytest.raises(ValueError, match="as many profiles as jobs, got 128 and 1"):
        space.explain_pairs(TEST.profiles, TEST.jobs.take(np.array([0])))
    with pytest.raises(ValueError, match="at least one document"):
        space.score(TEST.profiles.take(np.array([], int)), TEST.jobs)
    with pytest.raises(ValueError, match="space has 16 skills, got documents over 1"):
        space.profile_vectors(Documents.of(["a"], Inventory(("a",))))


def test_skills_of_a_text_are_its_largest_entries(space: Space):
    text = TEST.jobs.texts[0]
    vector = space.job_vectors(space.documents([text])).toarray()[0]
    found = space.skills(text, side="job", most=3)
    np.testing.assert_allclose([value for _, value in found], -np.sort(-vector)[:3], atol=1e-6)
    likely = space.job_skills(TEST.jobs)
    assert likely.shape == (len(TEST.jobs), SKILLS)


def _pair(space: Space, profile: str, job: str) -> tuple[Documents, Documents]:
    return space.documents([profile]), space.documents([job])
