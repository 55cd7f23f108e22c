"""Batches of users: a pure function of the step, histories without targets, honest counts."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.data.loader import Loader
from recsys.features import Batch
from recsys.retrieval.examples import Sides
from recsys.retrieval.user_batches import Sampling, UserBatches
from tests.retrieval.drawn import ITEMS, interactions
from tests.retrieval.towers import SPEC

TRAIN = interactions().train
MET = TRAIN.toarray() > 0
SIZE = 10


def _batches(sampling: Sampling | None = None, **change) -> UserBatches:
    spec = dataclasses.replace(SPEC, **change)
    return UserBatches(Sides.of(spec, TRAIN), size=SIZE, seed=1, sampling=sampling)


def _held(batch: Batch, name: str, spec=SPEC) -> list[list[int]]:
    """The real keys of a feature, example by example."""
    span = spec.packed.span(name)
    low, valid = np.asarray(batch.low)[:, span], np.asarray(batch.valid)[:, span]
    return [row[there].tolist() for row, there in zip(low, valid, strict=True)]


def test_it_is_a_loader():
    assert isinstance(_batches(), Loader)


def test_a_batch_follows_from_the_seed_and_the_step():
    first, again, other = _batches().batch(3), _batches().batch(3), _batches().batch(2)
    for name in ("low", "valid", "numbers", "weight"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert (first.low != other.low).any()


def test_each_user_of_two_items_or_more_comes_once_an_epoch():
    batches = _batches()
    for epoch in (0, 1):
        steps = range(batches.steps_per_epoch * epoch, batches.steps_per_epoch * (epoch + 1))
        users = [user for step in steps for (user,) in _held(batches.batch(step), "user")]
        assert len(set(users)) == len(users) == batches.steps_per_epoch * SIZE
        assert set(users) <= set(np.flatnonzero(MET.sum(axis=1) >= 2).tolist())


def test_a_user_has_as_many_turns_as_asking_for_all_its_items_takes():
    batches = _batches(Sampling(turns="all"))
    steps = range(batches.steps_per_epoch)
    users = [user for step in steps for (user,) in _held(batches.batch(step), "user")]
    turns = np.bincount(users, minlength=len(MET))
    counts = MET.sum(axis=1)
    wanted = np.where(counts >= 2, -(-(counts - counts // 2) // SPEC.targets), 0)
    assert (turns <= wanted).all()
    assert wanted.sum() - SIZE < turns.sum() == len(users)


def test_half_of_the_items_are_the_history_and_the_others_are_asked_for():
    batch = _batches().batch(0)
    parts = zip(*(_held(batch, name) for name in ("user", "history", "item")), strict=True)
    for (user,), history, items in parts:
        count = MET[user].sum()
        asked = items[: min(4, count - count // 2)]
        assert len(history) == min(6, count // 2)
        assert MET[user, history].all()
        assert MET[user, asked].all()
        assert not set(history) & set(asked)


def test_all_items_may_be_the_history():
    batch = _batches(Sampling(history="all")).batch(0)
    for (user,), history in zip(_held(batch, "user"), _held(batch, "history"), strict=True):
        assert len(set(history)) == min(6, MET[user].sum())
        assert MET[user, history].all()


def test_candidates_drawn_evenly_never_come_twice():
    span = SPEC.packed.span("item")
    candidates = np.asarray(_batches().batch(0).low)[:, span][:, 4:].ravel()
    assert len(set(candidates.tolist())) == SIZE * 3


def test_candidates_beyond_the_catalogue_are_padding():
    batches = _batches(candidates=5)
    span = batches.sides.spec.packed.span("item")
    batch = batches.batch(0)
    low, valid = (np.asarray(array)[:, span][:, 4:].ravel() for array in (batch.low, batch.valid))
    assert sorted(low[valid].tolist()) == list(range(ITEMS))
    np.testing.assert_allclose(batch.numbers, 0, atol=1e-6)  # each is there once


@pytest.mark.slow
@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize("history", ["half", "all"])
@pytest.mark.parametrize("turns", ["one", "all"])
def test_items_come_up_as_often_as_their_counts_say(power, in_batch, history, turns):
    sampling = Sampling(history=history, power=power, turns=turns)
    batches = _batches(sampling, in_batch=in_batch)
    spec = batches.sides.spec
    span, first = spec.packed.span("item"), 0 if in_batch else 4
    found = np.zeros(ITEMS)
    for step in range(400):
        batch = batches.batch(step)
        low, valid = (np.asarray(array)[:, span][:, first:] for array in (batch.low, batch.valid))
        np.add.at(found, low[valid], 1 / 400)
    expected = np.exp(batches.log_count)
    np.testing.assert_allclose(found, expected, atol=0.15 * expected.max())
    assert found.sum() == pytest.approx(expected.sum(), rel=0.02)


def test_a_shift_lowers_popular_candidates():
    plain, shifted = _batches(), _batches(Sampling(shift=0.3))
    gap = shifted.log_count - plain.log_count
    np.testing.assert_allclose(gap, 0.3 * np.log(np.maximum(MET.sum(axis=0), 1)), atol=1e-5)


def test_users_weigh_by_a_power_of_their_items():
    batch = _batches(Sampling(weight=-0.5)).batch(0)
    users = [user for (user,) in _held(batch, "user")]
    np.testing.assert_allclose(batch.weight, MET[users].sum(axis=1) ** -0.5, rtol=1e-5)


def test_more_users_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"UserBatches\(size=100\) cannot draw batches"):
        UserBatches(Sides.of(SPEC, TRAIN), size=100)


class _ByNumber:
    """Prefers items of small numbers, whoever asks."""

    def scores(self, users):
        return jnp.broadcast_to(-jnp.arange(ITEMS, dtype=jnp.float32), (len(users), ITEMS))


def test_hard_candidates_are_near_items_that_the_user_did_not_meet_but_for_the_nearest():
    sampling = Sampling(hard=2, skip=1, depth=4)
    batches = _batches(sampling)
    before = _batches(dataclasses.replace(sampling, hard=0)).batch(0)
    np.testing.assert_array_equal(batches.batch(0).low, before.low)  # nothing is mined yet
    batches.mine(_ByNumber())
    batch = batches.batch(0)
    span = SPEC.packed.span("item")
    hard = np.asarray(batch.low)[:, span][:, -2:]
    for (user,), items in zip(_held(batch, "user"), hard, strict=True):
        assert set(items.tolist()) <= set(np.flatnonzero(~MET[user])[1:4].tolist())


def test_more_hard_candidates_than_candidates_are_refused():
    with pytest.raises(ValueError, match="bring 3 candidates, got hard=4"):
        _batches(Sampling(hard=4))
    with pytest.raises(ValueError, match="skip=9 and depth=9"):
        Sampling(skip=9, depth=9)
