"""A space with a linker: documents state what their words speak of, wherever they are read."""

import dataclasses

import numpy as np
import pytest

from recsys.explicit import Space, fit
from recsys.explicit.linking import Linker
from recsys.export import explicit
from recsys.release import Items
from tests.explicit.toy import INVENTORY, SMALL, market

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("explicit")]

DATA = market(0, people=64)


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


def test_shares_of_a_linked_space_sum_to_the_score(space: Space):
    profile, job = DATA.profiles.texts[0], DATA.jobs.texts[0]
    shares = space.explain(profile, job)
    score = space.score(space.documents([profile]), space.documents([job]))[0, 0]
    assert sum(share for _, share in shares) == pytest.approx(float(score), abs=1e-5)


def test_a_linked_space_has_no_release(space: Space):
    items = Items.of(map(str, range(len(DATA.jobs))))
    with pytest.raises(ValueError, match="has a linker beside its model"):
        explicit.draft(space, items=items, jobs=DATA.jobs)
