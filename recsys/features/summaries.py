"""What a stream of numbers says of itself in bounded memory: moments, and a sample for quantiles.

Numbers come in chunks of any size, and two summaries merge. The sample holds the same numbers
however the stream was cut: every row draws a priority, and those with the least are kept.
"""

import math

import numpy as np
from jaxtyping import Float64, UInt64

SAMPLED = 2**16  # numbers kept: a quantile q is off by about sqrt(q (1 - q)) / 256 of all ranks


class Summary:
    """Count, mean, deviation, extremes and quantiles of numbers."""

    def __init__(self, sampled: int = SAMPLED) -> None:
        """Nothing seen."""
        self.count = 0
        self.mean = 0.0
        self.least = math.inf
        self.most = -math.inf
        self._squares = 0.0  # sum of squared distances from the mean
        self._sampled = sampled
        self._values = np.zeros(0, np.float64)
        self._draws = np.zeros(0, np.uint64)

    def add(
        self, values: Float64[np.ndarray, "values"], draws: UInt64[np.ndarray, "values"]
    ) -> None:
        """Takes note of numbers, none of them NaN, each with a random draw of its own."""
        if not len(values):
            return
        mean = float(values.mean())
        self._join(len(values), mean, float(((values - mean) ** 2).sum()))
        self.least = min(self.least, float(values.min()))
        self.most = max(self.most, float(values.max()))
        self._keep(values, draws)

    def merge(self, other: "Summary") -> None:
        """Takes note of what another saw, under other draws."""
        self._join(other.count, other.mean, other._squares)
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self._keep(other._values, other._draws)

    @property
    def std(self) -> float:
        """The standard deviation; 0 where it is nothing but rounding."""
        std = math.sqrt(self._squares / self.count) if self.count else 0.0
        return std if std > 1e-12 * abs(self.mean) else 0.0

    def quantiles(self, shares: Float64[np.ndarray, "shares"]) -> Float64[np.ndarray, "shares"]:
        """Numbers that were seen, at or below which such shares of the stream lie.

        Exact until more came than are kept.
        """
        return np.quantile(self._values, shares, method="inverted_cdf")

    def _join(self, count: int, mean: float, squares: float) -> None:
        """Two parts of a stream as one (Chan, Golub and LeVeque, COMPSTAT 1982)."""
        if count:
            total = self.count + count
            step = mean - self.mean
            self._squares += squares + step * step * (self.count * count / total)
            self.mean += step * (count / total)
            self.count = total

    def _keep(
        self, values: Float64[np.ndarray, "values"], draws: UInt64[np.ndarray, "values"]
    ) -> None:
        if len(self._draws) == self._sampled:
            small = draws < self._draws.max()
            values, draws = values[small], draws[small]
        values = np.concatenate([self._values, values])
        draws = np.concatenate([self._draws, draws])
        if len(draws) > self._sampled:
            least = np.argpartition(draws, self._sampled - 1)[: self._sampled]
            values, draws = values[least], draws[least]
        self._values, self._draws = values, draws
