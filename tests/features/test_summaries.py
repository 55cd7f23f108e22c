"""Summaries of streams: what NumPy says of the whole, however it was cut."""

import numpy as np
import pytest

from recsys.features.summaries import Summary

SHARES = np.array([0.01, 0.25, 0.5, 0.99])


def summed(values: np.ndarray, *, cut: int, sampled: int = 10**6) -> Summary:
    draws = np.random.Philox(key=1).random_raw(len(values))
    summary = Summary(sampled)
    for start in range(0, len(values), cut):
        summary.add(values[start : start + cut], draws[start : start + cut])
    return summary


@pytest.mark.parametrize("cut", [1, 7, 1_000])
def test_moments_extremes_and_quantiles_are_those_of_the_whole(cut):
    values = np.random.default_rng(0).lognormal(1, 2, 1_000) + 1e6  # far from 0, where squares lie
    found = summed(values, cut=cut)
    assert (found.count, found.least, found.most) == (1_000, values.min(), values.max())
    assert found.mean == pytest.approx(values.mean())
    assert found.std == pytest.approx(values.std())
    wanted = np.quantile(values, SHARES, method="inverted_cdf")
    np.testing.assert_array_equal(found.quantiles(SHARES), wanted)


def test_the_sample_is_the_same_however_the_stream_was_cut():
    values = np.random.default_rng(0).random(5_000)
    once, often = (summed(values, cut=cut, sampled=200) for cut in (5_000, 13))
    np.testing.assert_array_equal(once.quantiles(SHARES), often.quantiles(SHARES))
    np.testing.assert_allclose(once.quantiles(SHARES), SHARES, atol=0.1)


def test_two_summaries_merge_into_that_of_all():
    values = np.random.default_rng(0).random(2_000)
    draws = np.random.Philox(key=1).random_raw(2_000)
    parts = [Summary(100), Summary(100)]
    for part, span in zip(parts, (slice(700), slice(700, None)), strict=True):
        part.add(values[span], draws[span])
    parts[0].merge(parts[1])
    whole = summed(values, cut=2_000, sampled=100)
    assert parts[0].std == pytest.approx(whole.std)
    np.testing.assert_array_equal(parts[0].quantiles(SHARES), whole.quantiles(SHARES))


def test_rounding_is_no_deviation():
    assert summed(np.full(1_000, 0.1), cut=3).std == 0
    assert Summary().std == 0
