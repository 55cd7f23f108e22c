"""What the model reads: many examples as a handful of arrays.

A whole data set is one batch in NumPy; a training batch is some of its rows, in NumPy on the host
and in JAX on a device.
"""

import dataclasses

import jax
import numpy as np
from jaxtyping import Array, Bool, Float32, Integer, UInt32

from recsys.pytree import pytree

ArrayOf = Array | np.ndarray


@pytree
@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Examples, with the places of all features packed side by side as the schema says."""

    high: UInt32[ArrayOf, "batch places"]  # the key's upper word; 0 where the key is a rank
    low: UInt32[ArrayOf, "batch places"]  # the key's lower word
    valid: Bool[ArrayOf, "batch places"]  # False is padding
    numbers: Float32[ArrayOf, "batch numbers"]
    label: Float32[ArrayOf, "batch"]  # zeros where there is none
    weight: Float32[ArrayOf, "batch"]  # ones where there is none

    def __len__(self) -> int:
        """How many examples."""
        return len(self.label)

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> "Batch":
        """Some of the examples, in this order."""
        return jax.tree.map(lambda array: array[indices], self)
