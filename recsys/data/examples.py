"""What loaders, training and evaluation read: anything that has a length and hands out batches.

A `Batch` in memory is one, and so is a split of a `Store` on disk; nobody else needs to know which.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Integer

from recsys.features.batch import Batch


@runtime_checkable
class Examples(Protocol):
    """Examples by number, from 0 to their count."""

    def __len__(self) -> int:
        """How many examples."""
        ...

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> Batch:
        """Some of the examples, in this order, as arrays in NumPy."""
        ...
