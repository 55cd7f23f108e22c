"""AUC by group: against each group by itself, and groups that have none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from recsys.metrics import AUC, GroupedAUC, GroupsLeftOut, Predictions, groups

ROUNDING = 1e-5


def gathered(group, logit, label, weight=None) -> Predictions:
    predictions = Predictions()
    predictions.add(
        np.asarray(logit, np.float32),
        np.asarray(label),
        weight=None if weight is None else np.asarray(weight, np.float32),
        group=np.asarray(group),
    )
    return predictions


@st.composite
def splits(draw):
    """A split of a few groups, many tied scores, weights with zeros among them."""
    rows = draw(st.integers(2, 30))
    column = {"min_size": rows, "max_size": rows}
    group = draw(st.lists(st.sampled_from([0, 3, 2**63]), **column))
    logit = draw(st.lists(st.sampled_from([-1.5, 0.0, 0.25, 1.0]), **column))
    label = draw(st.lists(st.integers(0, 1), **column))
    weight = draw(st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), **column))
    return np.array(group, np.uint64), np.array(logit), np.array(label), weight


@pytest.mark.slow
@given(split=splits())
def test_each_group_agrees_with_itself_alone(split):
    group, logit, label, weight = split
    weights = np.ones(len(group)) if weight is None else np.array(weight)
    found = groups(gathered(group, logit, label, weight))
    assert found.key.tolist() == sorted({int(g) for g in group[weights > 0]})
    for key, impressions, auc in zip(*found, strict=True):
        own = (group == key) & (weights > 0)
        assert impressions == pytest.approx(weights[own].sum())
        if len(set(label[own])) == 1:
            assert np.isnan(auc)
        else:
            expected = roc_auc_score(label[own], logit[own], sample_weight=weights[own])
            assert auc == pytest.approx(expected, abs=ROUNDING)


def test_groups_are_weighted_by_their_impressions_and_those_of_one_class_left_out():
    # ann: 1 of 2 pairs, 3 impressions; bob: all of 1 pair, 2 impressions; eve: only clicks
    split = gathered(
        [1, 1, 1, 2, 2, 3, 3], [0.2, 0.5, 0.9, -1.0, 4.0, 0.0, 1.0], [0, 1, 0, 0, 1, 1, 1]
    )
    assert GroupedAUC()(split) == pytest.approx((0.5 * 3 + 1.0 * 2) / 5)
    assert GroupsLeftOut()(split) == groups(split).left_out == 1


def test_one_group_has_the_auc_of_all():
    rng = np.random.default_rng(0)
    logit, label, weight = rng.normal(size=50).round(1), rng.integers(0, 2, 50), rng.random(50)
    split = gathered(np.full(50, 7), logit, label, weight)
    assert GroupedAUC()(split) == pytest.approx(AUC()(split), abs=ROUNDING)


def test_the_order_between_groups_does_not_count():
    group, logit, label = np.arange(8) % 2, np.arange(8) * 0.1, np.array([0, 1, 1, 0, 0, 1, 1, 1])
    shifted = logit + 100 * group
    assert GroupedAUC()(gathered(group, shifted, label)) == GroupedAUC()(
        gathered(group, logit, label)
    )


@pytest.mark.parametrize(
    ("predictions", "sentence"),
    [
        (gathered([1, 2], [0.0, 1.0], [0, 1]), "got 2 groups of one class each"),
        (gathered([1, 1], [0.0, 1.0], [0, 1], [1.0, 0.0]), "got 1 groups of one class each"),
        (gathered(np.zeros(0, int), [], []), "got 0 groups"),
        (Predictions(), "needs to know whose each example is, got 0 without a group"),
    ],
)
def test_a_split_without_a_value_says_why(predictions, sentence):
    with pytest.raises(ValueError, match=sentence):
        GroupedAUC()(predictions)


def test_groups_come_with_every_batch_or_with_none():
    with_groups, without = gathered([1, 2], [0.0, 1.0], [0, 1]), Predictions()
    with pytest.raises(ValueError, match="in every batch or in none, got 2 examples with"):
        with_groups.add(np.zeros(1), np.zeros(1))
    without.add(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="in every batch or in none, got 3 examples without"):
        without.add(np.zeros(1), np.zeros(1), group=np.zeros(1, int))
    assert (len(with_groups), len(without)) == (2, 3)


def test_groups_are_keys():
    with pytest.raises(ValueError, match="whole numbers as groups, got float64"):
        gathered([0.5, 1.5], [0.0, 1.0], [0, 1])
