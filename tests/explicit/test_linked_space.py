"""A space with a linker: documents state what their words speak of, wherever they are read."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.explicit import Space, fit
from recsys.explicit.linking import Linker
from recsys.export import explicit, write
from recsys.export.draft import Draft
from recsys.export.writing import space_id
from recsys.index import build
from recsys.index.sparse import Sparse
from recsys.release import Items, Release
from recsys.release.documents import LINKS
from tests.explicit.toy import INVENTORY, SMALL, market

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("explicit")]

APART = market(0, people=64)
SAME = tuple(text.replace("wants", "did") for text in APART.jobs.texts)
DATA = dataclasses.replace(APART, jobs=dataclasses.replace(APART.jobs, texts=SAME))


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker.learn(INVENTORY, [DATA.profiles, DATA.jobs], most=4)


@pytest.fixture(scope="module")
def space(linker: Linker) -> Space:
    return fit(dataclasses.replace(SMALL, epochs=1), INVENTORY, DATA, linker=linker, progress=False)


def test_a_linker_opens_as_it_was(linker: Linker, tmp_path):
    linker.save(tmp_path / "links")
    texts = (*DATA.profiles.texts, "", "never heard of")
    found = Linker.open(tmp_path / "links").link(texts)
    np.testing.assert_allclose(found.toarray(), linker.link(texts).toarray(), atol=1e-6)


def test_a_space_links_what_it_reads_and_opens_with_its_linker(space: Space, tmp_path):
    space.save(tmp_path / "space")
    found = Space.open(tmp_path / "space")
    np.testing.assert_allclose(
        found.score(DATA.profiles, DATA.jobs), space.score(DATA.profiles, DATA.jobs), atol=1e-6
    )
    without = dataclasses.replace(space, linker=None)
    assert (
        np.abs(
            without.score(DATA.profiles, DATA.jobs) - space.score(DATA.profiles, DATA.jobs)
        ).max()
        > 0.01
    )
    assert space.linker is not None
    linked = space.linker.linked(DATA.jobs, gain=space.settings.link_gain)
    np.testing.assert_allclose(
        without.job_vectors(linked).toarray(), space.job_vectors(DATA.jobs).toarray(), atol=1e-6
    )


def test_shares_of_skills_and_words_sum_to_the_score(space: Space):
    scores = space.score(DATA.profiles, DATA.jobs)
    found = space.explain_pairs(DATA.profiles, DATA.jobs)
    told = [sum(share for _, share in pair) for pair in found]
    np.testing.assert_allclose(told, np.diagonal(scores), atol=1e-5)
    names = {name for pair in found for name, _ in pair}
    assert any(name.startswith("the word '") for name in names)
    assert names & set(INVENTORY.names)


def test_words_have_the_share_they_were_given_of_a_document_and_itself(space: Space):
    text = DATA.profiles.texts[0]
    shares = space.explain(text, text)
    words = sum(share for name, share in shares if name.startswith("the word"))
    assert words == pytest.approx(space.settings.word_share, abs=1e-5)
    assert sum(share for _, share in shares) == pytest.approx(1, abs=1e-5)


def test_lists_of_skills_and_gaps_name_no_words(space: Space):
    profile, job = DATA.profiles.texts[0], DATA.jobs.texts[1]
    for found in (space.skills(profile, most=99), space.gap(profile, job)):
        assert {name for name, _ in found} <= set(INVENTORY.names)
        assert found
    assert space.profile_skills(DATA.profiles).shape[1] == len(INVENTORY)


def test_a_word_taken_away_moves_the_score_by_its_share(space: Space):
    text = DATA.profiles.texts[0]
    for name, share in space.explain(text, text):
        found = space.what_if(text, text, {name: 0.0})
        assert found.before - found.after == pytest.approx(share, abs=1e-6)


def test_an_inverted_index_finds_what_skills_and_words_say(space: Space):
    vectors = space.job_vectors(DATA.jobs).toarray()
    assert vectors.shape[1] == len(space.names)
    found = build(Sparse(reasons=len(space.names)), vectors).search(
        space.profile_vectors(DATA.profiles).toarray(), 10
    )
    best = -np.sort(-space.score(DATA.profiles, DATA.jobs), axis=1)[:, :10]
    np.testing.assert_allclose(found.scores, best, atol=1e-5)
    assert found.reasons is not None
    np.testing.assert_allclose(found.reasons.shares.sum(axis=-1), best, atol=1e-5)


def test_words_are_trained_where_they_are_entries(space: Space):
    (head,) = space.model.spoken
    moved = np.abs(np.asarray(head.weights) - 1)
    assert moved.max() > 0.01
    skills = fit(
        dataclasses.replace(SMALL, epochs=1, word_share=0.0),
        INVENTORY,
        DATA,
        linker=space.linker,
        progress=False,
    )
    assert not skills.model.spec.words
    assert skills.names is skills.inventory


def test_words_without_their_linker_have_no_names(space: Space):
    alone = dataclasses.replace(space, linker=None)
    with pytest.raises(ValueError, match="no linker that names them"):
        alone.explain("a", "b")
    other = Linker.learn(INVENTORY, [DATA.jobs]).linked(DATA.jobs)
    with pytest.raises(ValueError, match="documents that another linker read"):
        alone.job_vectors(other)


def test_profiles_and_jobs_of_two_linkers_are_refused(space: Space):
    assert space.linker is not None
    jobs = space.linker.linked(DATA.jobs)
    mixed = dataclasses.replace(DATA, jobs=jobs)
    with pytest.raises(ValueError, match="words of one linker, got 0 and"):
        fit(SMALL, INVENTORY, mixed, progress=False)


def test_a_release_links_as_the_space_does_whatever_a_row_leaves_out(space: Space, tmp_path):
    items = Items.of(map(str, range(len(DATA.jobs))))
    drawn = explicit.draft(space, items=items, jobs=DATA.jobs)
    release = Release.open(write(drawn, tmp_path / "market", platforms=["cpu"]))
    texts = [DATA.profiles.texts[0], "never heard of", ""]
    encoded = release.encode([{"text": text} for text in texts] + [{}])
    wanted = space.profile_vectors(space.documents([*texts, ""])).toarray()
    np.testing.assert_allclose(release.users(encoded.batch), wanted, atol=1e-5)
    assert encoded.is_known.tolist() == [True, True, False, False]
    other = dataclasses.replace(drawn, links=Linker.learn(INVENTORY, [DATA.jobs], most=4))
    assert space_id(other, _kept(other, tmp_path)) != release.space_id


def _kept(drawn: Draft, tmp_path: Path) -> Path:
    """A folder with the parameters of the release, and the links of a draft."""
    shutil.copytree(tmp_path / "market", tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / LINKS)
    assert drawn.links is not None
    drawn.links.save(tmp_path / "other" / LINKS)
    return tmp_path / "other"
