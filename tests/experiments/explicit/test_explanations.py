"""Explanations: links name skills of other words, shares add up, and pages say so."""

import dataclasses

import numpy as np
import pytest

from experiments.explicit import onet
from experiments.explicit.explanations import as_text, drawn, explain
from experiments.explicit.protocol import Protocol
from experiments.explicit.spaces import Fitted, fitted
from tests.experiments.explicit.bases import onet_base


@pytest.fixture(scope="module")
def task() -> Protocol:
    return onet.arrange(onet_base(), None, seed=1)


@pytest.fixture(scope="module")
def links(task) -> Fitted:
    return fitted(task, "links", seed=0)


def test_links_are_skills_and_words_of_one_length_or_nothing(task, links):
    assert links.vectors is not None
    whole, skills = links.vectors[0].toarray(), len(task.inventory)
    for part, share in ((whole[:, :skills], 0.4), (whole[:, skills:], 0.6)):
        lengths = np.linalg.norm(part, axis=1)
        assert {round(length, 5) for length in lengths.tolist()} <= {0.0, round(share**0.5, 5)}
    assert links.scores.shape == task.parts["test"].relevance.grades.shape
    assert links.told["active_skills_most"] <= 64
    assert 0 < links.told["active_words"] <= links.told["active_words_most"] <= 64


def test_links_of_skills_alone_have_no_words(task):
    found = fitted(task, "links_skills", seed=0)
    assert found.vectors is not None
    assert found.vectors[0].toarray().shape[1] == len(task.inventory)
    assert (found.words, found.told["active_words"]) == ((), 0)


def test_shares_add_up_to_the_score_and_the_first_job_is_explained(task, links):
    assert links.vectors is not None
    profiles, jobs = links.vectors
    names = (*task.inventory.names, *links.words)
    told = explain(task, profiles, jobs, names=names, count=5, seed=3)
    named = [reason["name"] for one in told for reason in one["reasons"]]
    assert any(name.startswith("the word '") for name in named)
    for one in told:
        shares = sum(reason["share"] for reason in one["reasons"]) + one["others_share"]
        assert shares == pytest.approx(one["score"], abs=1e-4)
        assert 0 <= one["skills_share"] <= one["score"]
        row = task.parts["test"].relevance.profiles.texts.index(one["profile"])
        assert one["score"] == pytest.approx(links.scores[row].max(), abs=1e-5)


def test_a_page_and_a_picture_show_what_was_told():
    reasons = [{"name": "baking", "share": 0.25}, {"name": "the word 'oven'", "share": 0.125}]
    one = {"data": "onet", "profile": "Baker\nBake.", "job": "They bake.", "grade": 4.0,
           "score": 0.5, "reasons": reasons, "others": 3, "others_share": 0.125,
           "skills_share": 0.3}  # fmt: skip
    page = as_text([one])
    assert "## 1. onet, grade 4" in page
    assert "**Profile.** Baker; Bake." in page
    assert "| baking | 0.2500 |" in page
    assert "| 3 others | 0.1250 |" in page
    assert drawn(one).startswith(b"\x89PNG")


def test_vectors_are_kept_beside_the_values(links, tmp_path):
    links.save(tmp_path / "run.npz")
    wanted = {"run.profiles.npz", "run.jobs.npz", "run.words.json"}
    assert {path.name for path in tmp_path.iterdir()} == wanted
    dataclasses.replace(links, vectors=None).save(tmp_path / "other.npz")
    assert len([*tmp_path.iterdir()]) == 3


def test_stated_skills_are_read_as_words_by_links():
    told = onet.arrange(onet_base(), None, seed=1)
    found = fitted(told, "links", seed=0)
    stated = told.parts["test"].relevance.profiles.given
    assert found.vectors is not None
    vectors = found.vectors[0].toarray()[:, : len(told.inventory)]
    assert (vectors[stated.toarray() > 0] > 0).mean() > 0.9
