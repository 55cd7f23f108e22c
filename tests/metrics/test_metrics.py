"""Metrics of clicks: exact whatever the batches, right on examples worked by hand."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.metrics import AUC, METRICS, Calibration, LogLoss, NormalisedEntropy, Predictions

ROUNDING = 1e-5


def gathered(logit, label, weight=None, cuts=(), group=None) -> Predictions:
    """Predictions fed in the batches that the cuts make; all of one group unless told otherwise."""
    predictions = Predictions()
    group = np.zeros(len(logit), np.uint64) if group is None else np.asarray(group, np.uint64)
    edges = [0, *sorted(cuts), len(logit)]
    for start, stop in itertools.pairwise(edges):
        part = slice(start, stop)
        predictions.add(
            np.asarray(logit, np.float32)[part],
            np.asarray(label)[part],
            weight=None if weight is None else np.asarray(weight, np.float32)[part],
            group=group[part],
        )
    return predictions


def auc_by_pairs(logit, label, weight) -> float:
    """Every click against every non-click."""
    pairs = [
        (wi * wj, (xi > xj) + (xi == xj) / 2)
        for xi, yi, wi in zip(logit, label, weight, strict=True)
        for xj, yj, wj in zip(logit, label, weight, strict=True)
        if yi and not yj
    ]
    return sum(w * won for w, won in pairs) / sum(w for w, _ in pairs)


@st.composite
def splits(draw):
    """A split with clicks and non-clicks, many tied scores, and where its batches end."""
    rows = draw(st.integers(2, 40))
    column = {"min_size": rows, "max_size": rows}
    # Few values make ties; the large ones are where a rounded probability would be 0 or 1.
    score = st.sampled_from([-100.0, -1.5, 0.0, 0.25, 1.0, 100.0])
    logit = draw(st.lists(score, **column))
    label = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=rows - 2, max_size=rows - 2))]
    weight = draw(st.none() | st.lists(st.sampled_from([0.5, 1.0, 3.0]), **column))
    cuts = draw(st.lists(st.integers(0, rows), max_size=5))
    return logit, label, weight, cuts


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
@given(split=splits())
def test_the_batches_do_not_change_a_metric(name: str, split):
    logit, label, weight, cuts = split
    metric = METRICS[name]()
    assert metric(gathered(logit, label, weight, cuts)) == metric(gathered(logit, label, weight))


@pytest.mark.slow
@given(split=splits())
def test_auc_agrees_with_counting_pairs(split):
    logit, label, weight, cuts = split
    expected = auc_by_pairs(logit, label, weight or [1.0] * len(logit))
    assert AUC()(gathered(logit, label, weight, cuts)) == pytest.approx(expected, abs=ROUNDING)


@given(split=splits())
def test_log_loss_agrees_with_one_example_at_a_time(split):
    logit, label, weight, cuts = split
    weight = weight or [1.0] * len(logit)
    signed = [x if y else -x for x, y in zip(logit, label, strict=True)]
    losses = [
        w * (math.log1p(math.exp(-abs(s))) + max(-s, 0))
        for w, s in zip(weight, signed, strict=True)
    ]
    expected = sum(losses) / sum(weight)
    assert LogLoss()(gathered(logit, label, weight, cuts)) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("name", METRICS)
def test_an_example_of_weight_zero_does_not_count(name: str):
    metric = METRICS[name]()
    with_padding = gathered([2.0, -1.0, 9.0], [1, 0, 0], [1.0, 1.0, 0.0])
    assert metric(with_padding) == pytest.approx(metric(gathered([2.0, -1.0], [1, 0])))


def test_batches_with_and_without_weights_mix():
    predictions = gathered([1.0, 0.0], [1, 0])
    one = {"weight": np.array([2.0]), "group": np.array([0])}
    predictions.add(np.array([3.0], np.float32), np.array([0]), **one)
    assert LogLoss()(predictions) == LogLoss()(
        gathered([1.0, 0.0, 3.0], [1, 0, 0], [1.0, 1.0, 2.0])
    )


def test_a_tie_counts_one_half():
    assert AUC()(gathered([0.0, 0.0, 0.0], [1, 0, 0])) == 0.5


def test_a_constant_at_the_click_rate_has_normalised_entropy_and_calibration_one():
    constant = gathered([math.log(0.25 / 0.75)] * 4, [1, 0, 0, 0])
    assert NormalisedEntropy()(constant) == pytest.approx(1, abs=ROUNDING)
    assert Calibration()(constant) == pytest.approx(1, abs=ROUNDING)


def test_log_loss_of_a_hopeless_prediction_is_finite():
    assert LogLoss()(gathered([-1e4], [1])) == pytest.approx(1e4)


def test_unweighted_examples_take_five_bytes_each():
    predictions = Predictions()
    for rows in (400, 600):
        predictions.add(np.zeros(rows), np.zeros(rows))
    assert predictions.logit.nbytes + predictions.label.nbytes == 5000
    assert predictions.weight is None
    assert predictions.group is None
    assert len(predictions) == 1000


@pytest.mark.parametrize(
    ("metric", "predictions", "sentence"),
    [
        (AUC(), gathered([1.0, 2.0], [1, 1]), "needs clicks and non-clicks, got 2 clicks among 2"),
        (AUC(), gathered([1.0, 2.0], [0, 0]), "needs clicks and non-clicks, got 0 clicks among 2"),
        (AUC(), gathered([1.0, 2.0], [0, 1], [1.0, 0.0]), "got 0 clicks among 1"),
        (AUC(), Predictions(), "got 0 clicks among 0"),
        (LogLoss(), Predictions(), "needs an example that counts"),
        (NormalisedEntropy(), gathered([1.0], [1]), "got a click rate of 1"),
        (Calibration(), gathered([1.0], [0]), "needs at least one click"),
    ],
)
def test_a_metric_that_has_no_value_says_why(metric, predictions, sentence):
    with pytest.raises(ValueError, match=sentence):
        metric(predictions)


@pytest.mark.parametrize(
    ("logit", "label", "weight", "sentence"),
    [
        ([math.nan, 1.0], [0, 1], None, "need finite logits, got 1 of 2"),
        ([0.0, 1.0], [5, 1], None, "need labels 0 and 1, got values from 1 to 5"),
        ([0.0, 1.0], [0, 1], [-1.0, 1.0], "need finite weights of at least 0"),
    ],
)
def test_bad_input_is_one_sentence(logit, label, weight, sentence):
    with pytest.raises(ValueError, match=sentence):
        gathered(logit, label, weight)


@pytest.mark.parametrize("shape", [(1,), (2, 1), ()])
def test_columns_of_different_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"got shapes .*\(2,\).*: flatten them to \(batch,\)"):
        Predictions().add(np.zeros(shape), np.zeros(2))
