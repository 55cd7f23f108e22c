"""Recall is measured with users, effort follows it, and what finds too little is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recsys.index import IVF, PQ, Exact, Index, RecallError, build, default
from recsys.index.exact import ExactBase
from recsys.index.found import NOTHING, Rows
from recsys.index.recall import overlap, recall
from tests.index.drawn import items, users

VECTORS = items(3_000)


def test_the_default_is_exact_up_to_fifty_thousand_items():
    assert default(50_000) == Exact()
    assert default(50_001) == IVF()


def test_recall_counts_what_was_found_of_the_best():
    best = Rows(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 2, 1]], np.float32))
    half = Rows(np.array([[1, 3, 9, NOTHING]]), np.array([[4, 2, 0.5, -np.inf]], np.float32))
    assert overlap(best, best) == 1.0
    assert overlap(best, half) == 0.5


def test_an_item_that_scores_like_the_last_of_the_best_is_one_of_them():
    best = Rows(np.array([[1, 2]]), np.array([[4, 3]], np.float32))
    other = Rows(np.array([[1, 7]]), np.array([[4, 3]], np.float32))
    assert overlap(best, other) == 1.0


def test_effort_is_raised_until_users_are_served():
    low = build(IVF(lists=30, probes=1), VECTORS, users=users(50), goal=0.0, floor=0.0, at=20)
    high = build(IVF(lists=30, probes=1), VECTORS, users=users(50), goal=0.99, at=20)
    assert low.stats().effort == 1
    assert high.stats().effort > 1
    assert (low.stats().recall or 0) < 0.9 < 0.99 <= (high.stats().recall or 0)
    apart = recall(high.base, users(50, seed=8), at=20)
    assert apart.value > 0.97


def test_an_index_that_finds_too_little_is_refused():
    codes = PQ(lists=1, parts=1, oversample=1)
    with pytest.raises(RecallError, match=r"PQ wants to find at least 0\.950 .* use Exact"):
        build(codes, VECTORS, users=users(50), at=20)


def test_an_index_that_may_miss_items_wants_users():
    with pytest.raises(ValueError, match="IVF wants vectors of users"):
        build(IVF(), VECTORS)


def test_a_new_base_that_finds_too_little_leaves_the_old_one(tmp_path: Path):
    index = build(IVF(lists=30, probes=1), VECTORS, users=users(50), goal=0.0, floor=0.5, at=20)
    index._live.built = dataclasses.replace(index._live.built, floor=0.999)
    index.keep(tmp_path)
    index.upsert(np.array([5_000]), users(1))
    with pytest.raises(RecallError):
        index.compact()
    index.upsert(np.array([5_001]), users(1))
    index.close()
    again = Index(index._live.built)
    again.keep(tmp_path)
    assert np.all(again.has(np.array([5_000, 5_001])))
    again.close()


def test_an_exact_base_finds_everything():
    assert recall(ExactBase(VECTORS), users(20), at=50).value == 1.0
