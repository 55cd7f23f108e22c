"""Batches in the order of the examples, all of one size: for evaluation."""

from typing import Any

import numpy as np

from recsys.data.examples import Examples
from recsys.data.loader import check, place_of
from recsys.features.batch import Batch


class InOrder:
    """Every example once an epoch, from the first to the last, with nothing left out.

    The last batch is filled up with copies of its first example, that read nothing and weigh
    nothing, so that one compiled program serves all.
    """

    def __init__(self, data: Examples, *, size: int) -> None:
        """Batches of `size` examples of `data`."""
        check("InOrder", len(data), min(size, len(data)), seed=0)
        self.data, self.size = data, size

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one epoch."""
        return -(-len(self.data) // self.size)

    @property
    def order(self) -> dict[str, Any]:
        """What the order of the examples follows from."""
        return {"examples": len(self.data), "size": self.size}

    def count(self, step: int) -> int:
        """How many examples of a batch are real."""
        _, place = place_of(step, self)
        return min(self.size, len(self.data) - place * self.size)

    def batch(self, step: int) -> Batch:
        """Batch number `step`, counted from 0 over all epochs."""
        _, place = place_of(step, self)
        start, count = place * self.size, self.count(step)
        part = self.data.take(slice(start, start + count))
        return part if count == self.size else _filled(part, self.size)


def _filled(part: Batch, size: int) -> Batch:
    index = np.where(np.arange(size) < len(part), np.arange(size), 0)
    is_real = np.arange(size) < len(part)
    full = part.take(index)
    valid, weight = full.valid & is_real[:, None], full.weight * is_real
    return Batch(full.high, full.low, valid, full.numbers, full.label, weight)
