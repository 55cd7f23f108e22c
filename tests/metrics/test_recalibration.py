"""Re-calibration after training on a share of the non-clicks."""

import numpy as np
import pytest

from recsys.metrics import AUC, Calibration, LogLoss, Predictions, correction, recalibrated


def gathered(probability, label, weight=None) -> Predictions:
    predictions, probability = Predictions(), np.asarray(probability, np.float64)
    logit = np.log(probability) - np.log1p(-probability)
    predictions.add(logit, np.asarray(label), weight=weight, group=np.arange(len(logit)))
    return predictions


def test_the_formula_of_the_paper():
    p, kept = np.array([0.5, 0.9, 0.01]), 0.1
    logit = recalibrated(gathered(p, [1, 0, 0]), kept=kept).logit
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), p / (p + (1 - p) / kept), rtol=1e-5)


def test_a_model_of_the_thinned_log_is_calibrated_on_the_whole_one():
    """10 clicks and 990 others; training saw 99 of these, and so learns 10 / 109."""
    label = np.arange(1000) < 10
    thinned = gathered(np.full(1000, 10 / 109), label)
    assert Calibration()(thinned) == pytest.approx(1000 / 109, rel=1e-5)
    assert Calibration()(recalibrated(thinned, kept=0.1)) == pytest.approx(1, rel=1e-5)
    rate = 0.01
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    assert LogLoss()(recalibrated(thinned, kept=0.1)) == pytest.approx(entropy, rel=1e-5)


def test_a_split_thinned_alike_counts_its_non_clicks_for_those_left_out():
    label = np.arange(109) < 10
    weight = np.where(label, 1.0, 10.0)
    thinned = gathered(np.full(109, 10 / 109), label, weight)
    assert Calibration()(recalibrated(thinned, kept=0.1)) == pytest.approx(1, rel=1e-5)


def test_the_order_of_the_examples_stays_and_so_do_their_groups_and_weights():
    before = gathered([0.2, 0.9, 0.4, 0.6], [0, 1, 1, 0], np.array([1.0, 2.0, 1.0, 0.5]))
    after = recalibrated(before, kept=0.03)
    assert AUC()(after) == AUC()(before)
    np.testing.assert_array_equal(after.weight, before.weight)
    np.testing.assert_array_equal(after.group, before.group)


def test_nothing_left_out_corrects_nothing():
    before = gathered([0.2, 0.9], [0, 1])
    np.testing.assert_array_equal(recalibrated(before, kept=1.0).logit, before.logit)
    assert len(recalibrated(Predictions(), kept=0.5)) == 0


@pytest.mark.parametrize("kept", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_that_cannot_be_is_refused(kept):
    with pytest.raises(ValueError, match=r"lies in \(0, 1\], got kept="):
        correction(kept)
