"""Fitting: batches of pairs, the twin without names, and what is learned."""

import dataclasses

import numpy as np
import pytest
from flax import nnx
from scipy import sparse

from recsys.explicit import Documents, Inventory, Relevance, fit
from recsys.explicit.batches import PairBatches
from recsys.explicit.settings import SpaceSettings, model_of
from recsys.features.links import rectangle
from recsys.metrics.graded import graded_ndcg
from recsys.models.explicit import Explicit
from tests.explicit.toy import INVENTORY, SKILLS, SMALL, documents, market


def count(module: nnx.Module) -> int:
    return sum(leaf.size for leaf in nnx.to_flat_state(nnx.state(module)).leaves)


def batches(data: Relevance, *, size: int = 8, texts_of_skills: int = 3) -> PairBatches:
    spec = model_of(SMALL, INVENTORY, data)
    return PairBatches(spec, INVENTORY, data, size=size, texts_of_skills=texts_of_skills, seed=0)


def test_the_latent_twin_has_the_same_encoder_and_as_many_bytes_a_document():
    data = market(0)
    sizes = {}
    for head in ("explicit", "latent"):
        spec = model_of(dataclasses.replace(SMALL, head=head), INVENTORY, data)
        model = nnx.eval_shape(lambda spec=spec: spec.build(rngs=nnx.Rngs(0)))
        sizes[head] = [count(part) for part in (model.embed, model.terms, model.encoders)]
        assert spec.dim == 2 * spec.active  # a number and a skill's number for each
    assert sizes["explicit"] == sizes["latent"]


def test_two_encoders_share_their_tables_and_nothing_else():
    spec = model_of(dataclasses.replace(SMALL, is_shared=False), INVENTORY, market(0))
    model = nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0)))
    assert (len(model.encoders), len(model.heads), len(model.embed.tables)) == (2, 2, 1)


def test_a_batch_is_pairs_that_belong_together_and_texts_of_skills():
    data = market(0)
    made = batches(data).batch(3)
    assert made.high.shape[0] == 8 + 8 + 3
    assert np.all(np.diagonal(made.is_relevant))
    assert made.is_relevant.sum() > 8  # others of the batch that are relevant too
    known = np.zeros((19, SKILLS))
    np.put_along_axis(known, np.asarray(made.known), made.grade, axis=1)
    np.testing.assert_array_equal(known.sum(axis=1), 1)  # half of two skills; a skill's own
    again = batches(data).batch(3)
    for name in ("low", "known", "is_relevant"):
        np.testing.assert_array_equal(getattr(made, name), getattr(again, name))


def test_every_profile_comes_once_an_epoch_with_a_relevant_job():
    data = market(0)
    some = batches(data, size=16)
    assert some.steps_per_epoch == 8
    low = np.concatenate([some.batch(step).low[:16] for step in range(8)])
    assert len(np.unique(low, axis=0)) == len(np.unique(some._sides[0].low, axis=0))


def test_a_profile_without_a_job_teaches_skills_alone():
    data = market(0)
    lonely = dataclasses.replace(data, grades=sparse.csr_array(data.grades.shape, dtype=np.float32))
    made = batches(lonely).batch(0)
    assert not made.pair_weight.any()
    assert made.grade[:8].any()


def test_of_many_skills_the_highest_grades_are_kept():
    rows = sparse.csr_array(np.array([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]], np.float32))
    found = rectangle(rows, most=2)
    np.testing.assert_array_equal(found.numbers[0], [1, 2])
    np.testing.assert_array_equal(found.grades, [[3, 2], [0, 0]])


@pytest.mark.slow
@pytest.mark.parametrize("head", ["explicit", "latent"])
def test_both_heads_rank_jobs_of_people_never_seen(head: str):
    settings = dataclasses.replace(SMALL, head=head, is_shared=head == "latent", epochs=30)
    train, valid, test = (market(seed, people=256) for seed in range(3))
    space = fit(settings, INVENTORY, train, valid, progress=False)
    chance = graded_ndcg(np.zeros((len(test.profiles), len(test.jobs))), test.grades, k=10)
    found = graded_ndcg(space.score(test.profiles, test.jobs), test.grades, k=10)
    assert found > chance + 0.4
    assert space.epoch == max(space.history, key=lambda line: line["ndcg@10"])["epoch"]
    if head == "explicit":
        skills = np.random.default_rng(5).permutation(SKILLS)[:, None].repeat(2, axis=1)
        told = documents(skills, "wants", np.random.default_rng(5), given=False)
        first = space.job_skills(told).argmax(axis=1)
        assert np.mean(first == skills[:, 0]) > 0.8
    else:
        with pytest.raises(ValueError, match="no names"):
            space.explain("a", "b")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"words": 0}, "words from 1"),
        ({"width": 10, "lookups": 3}, "dealt out to lookups"),
        ({"epochs": 0}, "epochs and patience of at least 1"),
    ],
)
def test_settings_of_nothing_are_refused(wrong: dict, told: str):
    with pytest.raises(ValueError, match=told):
        SpaceSettings(**wrong)


def test_a_model_without_words_or_skills_is_refused():
    spec = model_of(SMALL, INVENTORY, market(0))
    with pytest.raises(ValueError, match="temperature above 0"):
        dataclasses.replace(spec, temperature=0.0)
    plain = dataclasses.replace(spec.schema.features[0], name="words")
    schema = dataclasses.replace(spec.schema, features=(plain,))
    with pytest.raises(ValueError, match="reads a feature 'text'"):
        Explicit(schema, spec.layout, spec.encoder, skills=3)


def test_data_over_another_inventory_or_of_nothing_are_refused():
    with pytest.raises(ValueError, match="skills of the inventory, 1, got 16"):
        fit(SMALL, Inventory(("a",)), market(0), progress=False)
    nobody = Documents.of([], INVENTORY)
    empty = Relevance(nobody, nobody, sparse.csr_array((0, 0), dtype=np.float32))
    with pytest.raises(ValueError, match="wants profiles and jobs, got 0 and 0"):
        fit(SMALL, INVENTORY, empty, progress=False)
