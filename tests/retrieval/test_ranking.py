"""The best items of each user: seen ones left out, in blocks, never one twice."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.data.interactions import sparse
from recsys.retrieval.ranking import NOTHING, Scorer, rank

SCORES = np.random.default_rng(0).permutation(7 * 9).reshape(7, 9).astype(np.float32)
NOBODY = sparse(np.array([], int), np.array([], int), SCORES.shape)
USERS = np.arange(7)


@dataclasses.dataclass(frozen=True)
class Table:
    """Scores that were worked out before."""

    values: np.ndarray = dataclasses.field(default_factory=lambda: SCORES)

    def scores(self, users):
        return jnp.asarray(self.values[users])


def test_a_table_of_scores_is_a_scorer():
    assert isinstance(Table(), Scorer)


@pytest.mark.parametrize("block", [1, 3, 7, 50])
def test_the_best_come_first_whatever_the_block(block):
    found = rank(Table(), USERS, seen=NOBODY, best=4, block=block, progress=False)
    np.testing.assert_array_equal(found.items, np.argsort(-SCORES, axis=1)[:, :4])


def test_users_may_be_any_and_in_any_order():
    users = np.array([5, 0, 5])
    found = rank(Table(), users, seen=NOBODY, best=2, block=2, progress=False)
    np.testing.assert_array_equal(found.items, np.argsort(-SCORES, axis=1)[users, :2])


def test_seen_items_are_left_out():
    rng = np.random.default_rng(1)
    is_seen = rng.random(SCORES.shape) < 0.4
    user, item = is_seen.nonzero()
    found = rank(Table(), USERS, seen=sparse(user, item, SCORES.shape), best=3, block=4)
    masked = np.where(is_seen, -np.inf, SCORES)
    np.testing.assert_array_equal(found.items, np.argsort(-masked, axis=1)[:, :3])


def test_a_list_longer_than_the_catalogue_ends_with_nothing():
    found = rank(Table(), USERS, seen=NOBODY, best=12, progress=False)
    assert (found.items[:, 9:] == NOTHING).all()
    np.testing.assert_array_equal(np.sort(found.items[:, :9], axis=1), [np.arange(9)] * 7)


def test_a_user_who_saw_everything_gets_nothing_and_others_their_lists():
    seen = sparse(np.full(9, 2), np.arange(9), SCORES.shape)
    found = rank(Table(), USERS, seen=seen, best=4, progress=False)
    assert (found.items[2] == NOTHING).all()
    assert (np.delete(found.items, 2, axis=0) != NOTHING).all()


def test_a_list_that_runs_out_ends_with_nothing():
    seen = sparse(np.full(7, 2), np.arange(7), SCORES.shape)
    found = rank(Table(), USERS, seen=seen, best=4, progress=False)
    assert set(found.items[2, :2]) == {7, 8}
    assert (found.items[2, 2:] == NOTHING).all()


def test_equal_scores_never_bring_an_item_twice():
    even = Table(np.zeros_like(SCORES))
    found = rank(even, USERS, seen=NOBODY, best=9, progress=False)
    np.testing.assert_array_equal(np.sort(found.items, axis=1), [np.arange(9)] * 7)


def test_nobody_to_rank_is_an_empty_ranking():
    found = rank(Table(), np.array([], int), seen=NOBODY, best=4, progress=False)
    assert found.items.shape == (0, 4)


@pytest.mark.parametrize(("best", "block"), [(0, 4), (-1, 4), (4, 0)])
def test_lists_of_no_length_are_refused(best, block):
    with pytest.raises(ValueError, match=f"got best={best} and block={block}: ask for more"):
        rank(Table(), USERS, seen=NOBODY, best=best, block=block)
