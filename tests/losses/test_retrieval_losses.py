"""Every loss of retrieval: by its formula in a loop over users and targets, and what all owe."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.losses import (
    BPR,
    GBCE,
    RETRIEVAL_LOSSES,
    CosineContrastive,
    Hinge,
    RetrievalLoss,
    Scores,
    Softmax,
)
from recsys.losses.retrieval import own
from recsys.spec import from_json, to_json
from tests.losses.drawn import BATCH, TARGETS, scores

EXAMPLES: dict[str, RetrievalLoss] = {
    "softmax": Softmax(),
    "cosine_contrastive": CosineContrastive(margin=0.2, weight=7.0, slack=0.05),
    "bpr": BPR(),
    "gbce": GBCE(items=40, t=0.75),
    "hinge": Hinge(margin=0.8),
}


def _log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def _gbce(target, negative, log_count):
    alpha = len(negative) / (40 - 1)
    beta = alpha * (0.75 * (1 - 1 / alpha) + 1 / alpha)  # eq. 15 as printed
    return -(beta * _log_sigmoid(target) + _log_sigmoid(-negative).sum()) / (len(negative) + 1)


BY_HAND: dict[str, Callable] = {
    "softmax": lambda s, n, c: -np.log(np.exp(s) / (np.exp(s) + np.exp(n - c).sum())),
    "cosine_contrastive": lambda s, n, c: 1 - s + 7 * np.maximum(0, n - 0.2 - 0.05 * c).mean(),
    "bpr": lambda s, n, c: -_log_sigmoid(s - n).mean(),
    "gbce": _gbce,
    "hinge": lambda s, n, c: np.maximum(0, 0.8 - s + n).mean(),
}


def _expected(name: str, given: Scores) -> float:
    s = jax.tree.map(lambda array: np.asarray(array, np.float64), given)
    total = weight = 0.0
    for user in range(BATCH):
        chosen = s.is_negative[user] > 0
        for target in range(TARGETS):
            if s.is_target[user, target]:
                each = BY_HAND[name](
                    s.target[user, target], s.candidate[user][chosen], s.log_count[chosen]
                )
                total, weight = total + s.weight[user] * each, weight + s.weight[user]
    return total / weight


def test_every_loss_has_an_example():
    assert {name: type(loss) for name, loss in EXAMPLES.items()} == RETRIEVAL_LOSSES


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_agrees_with_its_formula(name, strict_dtypes):
    for seed in range(3):
        given = scores(seed)
        assert float(EXAMPLES[name](given)) == pytest.approx(_expected(name, given), rel=1e-5)


def test_cosine_contrastive_without_slack_does_not_read_how_often_items_were_expected():
    loss, given = CosineContrastive(margin=0.2), scores()
    other = dataclasses.replace(given, log_count=given.log_count + 3)
    assert float(loss(given)) == float(loss(other))


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_spec_survives_json(name):
    assert from_json(to_json(EXAMPLES[name])) == EXAMPLES[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_padding_and_own_items_change_nothing_and_have_no_gradient(name):
    given = scores()
    noise = scores(seed=9)
    other = dataclasses.replace(
        given,
        target=jnp.where(given.is_target, given.target, noise.target),
        candidate=jnp.where(given.is_negative, given.candidate, noise.candidate + 50),
    )
    assert float(EXAMPLES[name](given)) == float(EXAMPLES[name](other))

    def loss(target, candidate):
        moved = dataclasses.replace(other, target=target, candidate=candidate)
        return EXAMPLES[name](moved)

    target, candidate = jax.grad(loss, argnums=(0, 1))(other.target, other.candidate)
    assert not np.asarray(target)[~np.asarray(given.is_target)].any()
    assert not np.asarray(candidate)[~np.asarray(given.is_negative)].any()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_better_target_costs_less_and_a_better_negative_no_less(name):
    given = scores()
    raised = dataclasses.replace(given, target=given.target + 0.1)
    rivals = dataclasses.replace(given, candidate=given.candidate + 0.1)
    loss = EXAMPLES[name]
    assert float(loss(raised)) < float(loss(given)) <= float(loss(rivals))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_batch_without_negatives_or_without_targets_is_finite(name):
    given = scores()
    alone = dataclasses.replace(given, is_negative=jnp.zeros_like(given.is_negative))
    nobody = dataclasses.replace(given, is_target=jnp.zeros_like(given.is_target))
    for odd in (alone, nobody):

        def loss(candidate, odd=odd):
            return EXAMPLES[name](dataclasses.replace(odd, candidate=candidate))

        value, gradient = jax.value_and_grad(loss)(odd.candidate)
        assert np.isfinite(value)
        assert np.isfinite(np.asarray(gradient)).all()


@pytest.mark.slow
def test_own_items_are_found_however_often_a_candidate_comes():
    candidate = jnp.array([7, 3, 7, 2**32 - 1, 0], jnp.uint32)
    known = jnp.array([[7, 1], [0, 2**32 - 1], [3, 7]], jnp.uint32)
    is_known = jnp.array([[True, True], [True, True], [True, False]])
    expected = [[1, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 1, 0, 0, 0]]
    np.testing.assert_array_equal(own(candidate, known, is_known), expected)


@pytest.mark.slow
def test_own_items_agree_with_comparing_all_pairs():
    rng = np.random.default_rng(0)
    candidate = rng.integers(0, 30, 40).astype(np.uint32)
    known = rng.integers(0, 30, (8, 12)).astype(np.uint32)
    is_known = rng.random((8, 12)) < 0.5
    pairs = (known[:, :, None] == candidate[None, None, :]) & is_known[:, :, None]
    found = own(jnp.asarray(candidate), jnp.asarray(known), jnp.asarray(is_known))
    np.testing.assert_array_equal(found, pairs.any(axis=1))


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda: CosineContrastive(margin=1.0), r"a margin in \[-1, 1\)"),
        (lambda: CosineContrastive(weight=0.0), "a weight above 0"),
        (lambda: GBCE(items=1), "a catalogue of at least 2 items"),
        (lambda: GBCE(items=9, t=1.5), r"t in \[0, 1\]"),
        (lambda: Hinge(margin=0.0), "a margin above 0"),
    ],
)
def test_nonsense_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        loss()
