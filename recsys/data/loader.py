"""Shuffled whole batches of a data set in memory, as a pure function of the step.

Nothing is remembered from step to step, so resuming needs the number of the step and no state.
"""

from functools import lru_cache, partial

import numpy as np
from jaxtyping import Int64

from recsys.features.batch import Batch


class Shuffled:
    """Batches of `size` examples in an order that is new in each epoch.

    Each example comes once an epoch, except for the remainder that fills no batch; it is drawn
    anew in each epoch, so no example is left out for good.
    """

    def __init__(self, data: Batch, *, size: int, seed: int = 0) -> None:
        """Batches of `size` examples of `data`; `seed` is from 0 to 2^64 - 1."""
        if not 1 <= size <= len(data):
            raise ValueError(
                f"Shuffled(size={size}) cannot draw batches from {len(data)} examples: "
                f"use 1 <= size <= {len(data)}."
            )
        if not 0 <= seed < 2**64:
            raise ValueError(f"Shuffled wants 0 <= seed < 2^64, got seed={seed}: choose another.")
        self.data = data
        self.size = size
        self.seed = seed
        self._order = lru_cache(maxsize=2)(partial(_permutation, seed, len(data)))

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        return len(self.data) // self.size

    def batch(self, step: int) -> Batch:
        """Batch number `step`, counted from 0 over all epochs."""
        return self.data.take(self.indices(step))

    def indices(self, step: int) -> Int64[np.ndarray, "batch"]:
        """Which examples batch number `step` holds."""
        if step < 0:
            raise ValueError(f"Shuffled wants step >= 0, got step={step}: count steps from 0.")
        epoch, place = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[place * self.size : (place + 1) * self.size]


def _permutation(seed: int, examples: int, epoch: int) -> Int64[np.ndarray, "rows"]:
    key = np.array([seed, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(examples)
