"""What is done to a number before a model reads it: logarithm, standardising, buckets.

What a transform learns from the training split stands in its spec (`mean`, `std`, `edges`), so that
training and serving run the same code on the same numbers. A field that is None is not learned yet.
"""

import dataclasses
import itertools
import math

import numpy as np
from jaxtyping import Float64, UInt64

from recsys.features.summaries import Summary
from recsys.spec import spec

Numbers = Float64[np.ndarray, "values"]


@spec
@dataclasses.dataclass(frozen=True)
class Log1p:
    """sign(x) log(1 + |x|): counts and prices on a scale that a network can read."""

    is_learned = True  # there is nothing to learn

    def __call__(self, values: Numbers) -> Numbers:
        """The logarithms; missing stays NaN."""
        return np.sign(values) * np.log1p(np.abs(values))


@spec
@dataclasses.dataclass(frozen=True)
class Standardise:
    """(x - mean) / std, of the number or of its logarithm."""

    mean: float | None = None  # of the training split
    std: float | None = None  # > 0, of the training split; 1 where all numbers are one
    of: Log1p | None = None  # what is done first

    def __post_init__(self) -> None:
        """Refuses half of a pair, and what cannot be divided by."""
        if (self.mean is None) != (self.std is None):
            raise ValueError(
                f"Standardise wants mean and std together, got mean={self.mean} and "
                f"std={self.std}: give both, or none to learn them."
            )
        if self.std is not None and not 0 < self.std < math.inf:
            raise ValueError(
                f"Standardise wants std > 0, got std={self.std}: use 1 for a constant."
            )

    @property
    def is_learned(self) -> bool:
        """Whether it knows the mean."""
        return self.mean is not None

    def learned(self, summary: Summary) -> "Standardise":
        """This transform with what was seen."""
        return dataclasses.replace(self, mean=summary.mean, std=summary.std or 1.0)

    def before(self, values: Numbers) -> Numbers:
        """What is learned from: the numbers, after what is done first."""
        return values if self.of is None else self.of(values)

    def __call__(self, values: Numbers) -> Numbers:
        """How many deviations above the mean; missing stays NaN."""
        assert self.mean is not None
        assert self.std is not None
        return (self.before(values) - self.mean) / self.std


@spec
@dataclasses.dataclass(frozen=True)
class Buckets:
    """Numbers as categories: buckets that hold about as many examples each, and one for missing.

    A bucket goes from one edge, included, to the next. A feature with buckets reads a table, under
    the bucket's number; the last number is that of missing.
    """

    count: int = 32  # most buckets to learn; fewer where many examples hold one number
    edges: tuple[float, ...] | None = None  # rising; None learns them as quantiles

    def __post_init__(self) -> None:
        """Refuses edges out of order."""
        if self.count < 2:
            raise ValueError(f"Buckets wants a count of at least 2, got {self.count}: raise it.")
        edges = self.edges or ()
        ordered = all(low < high for low, high in itertools.pairwise(edges))
        if self.edges is not None and not (edges and ordered and all(map(math.isfinite, edges))):
            raise ValueError(
                f"Buckets wants finite edges that rise, got {self.edges}: sort them, or leave them "
                "out to learn them."
            )

    @property
    def is_learned(self) -> bool:
        """Whether it knows its edges."""
        return self.edges is not None

    @property
    def values(self) -> int | None:
        """How many categories: the buckets and missing; None until learned."""
        return None if self.edges is None else len(self.edges) + 2

    def learned(self, summary: Summary) -> "Buckets":
        """This transform with the quantiles of what was seen, each once."""
        shares = np.arange(1, self.count) / self.count
        edges = np.unique(summary.quantiles(shares))
        above = edges[edges > summary.least]  # below the least number is nothing
        return dataclasses.replace(self, edges=tuple(map(float, above)) or (summary.least,))

    def before(self, values: Numbers) -> Numbers:
        """What is learned from: the numbers."""
        return values

    def __call__(self, values: Numbers) -> UInt64[np.ndarray, "values"]:
        """The number of each one's bucket."""
        assert self.edges is not None
        bucket = np.searchsorted(np.array(self.edges), values, side="right")
        return np.where(np.isnan(values), len(self.edges) + 1, bucket).astype(np.uint64)


Learned = Standardise | Buckets  # what has to see the training split
Transform = Log1p | Learned
TRANSFORMS: dict[str, type[Transform]] = {
    "log1p": Log1p,
    "standardise": Standardise,
    "buckets": Buckets,
}
