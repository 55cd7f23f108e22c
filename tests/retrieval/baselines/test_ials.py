"""iALS against one least-squares problem a user and an item, solved one after another."""

import dataclasses

import numpy as np
import pytest

from recsys.retrieval.baselines import IALS
from recsys.retrieval.baselines import ials as module
from tests.retrieval.drawn import ITEMS, interactions

pytestmark = pytest.mark.slow

TRAIN = interactions().train
SPEC = IALS(dim=6, alpha=0.3, l2=0.02, nu=0.7, epochs=2)


def _solved(met: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The vectors that minimise the loss of each row alone, by the formula."""
    rows = []
    for row in met:
        scale = SPEC.l2 * (row.sum() + SPEC.alpha * len(other)) ** SPEC.nu
        left = other.T @ (np.diag(row) + SPEC.alpha * np.eye(len(other))) @ other
        rows.append(np.linalg.solve(left + scale * np.eye(SPEC.dim), other.T @ row))
    return np.array(rows)


@pytest.fixture(scope="module")
def factors():
    return SPEC.fit(TRAIN, progress=False)


def test_items_solve_their_least_squares_given_the_users(factors):
    expected = _solved(TRAIN.toarray().T.astype(np.float64), np.asarray(factors.user, np.float64))
    np.testing.assert_allclose(np.asarray(factors.item), expected, rtol=1e-4, atol=1e-5)


def test_users_solved_in_small_blocks_are_the_same(factors, monkeypatch):
    monkeypatch.setattr(module, "PLACES", 16)
    again = SPEC.fit(TRAIN, progress=False)
    np.testing.assert_allclose(np.asarray(again.user), np.asarray(factors.user), atol=1e-5)


def test_more_epochs_lower_the_loss(factors):
    def loss(factors) -> float:
        user, item = (np.asarray(side, np.float64) for side in (factors.user, factors.item))
        score, met = user @ item.T, TRAIN.toarray()
        fit = (met * (1 - score) ** 2).sum() + SPEC.alpha * (score**2).sum()
        counts = met.sum(axis=1) + SPEC.alpha * ITEMS, met.sum(axis=0) + SPEC.alpha * len(user)
        sizes = [(side**2).sum(axis=1) for side in (user, item)]
        return fit + SPEC.l2 * sum(
            (n**SPEC.nu * s).sum() for n, s in zip(counts, sizes, strict=True)
        )

    longer = dataclasses.replace(SPEC, epochs=6).fit(TRAIN, progress=False)
    assert loss(longer) < loss(factors)


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"epochs": 0}, {"alpha": 0.0}, {"l2": -1.0}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="IALS wants dim and epochs of at least 1"):
        IALS(**wrong)
