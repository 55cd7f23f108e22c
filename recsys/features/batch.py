"""What the model reads: many examples as a handful of arrays.

A whole data set is one batch in NumPy; a training batch is some of its rows, in NumPy on the host
and in JAX on a device.
"""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Bool, Float32, Integer, UInt32

from recsys.pytree import pytree

ArrayOf = Array | np.ndarray
TYPES = {
    "high": np.uint32,
    "low": np.uint32,
    "valid": np.bool_,
    "numbers": np.float32,
    "label": np.float32,
    "weight": np.float32,
}


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

    def check(self) -> None:
        """Refuses arrays of another type, which JAX would cut short or compute with in silence.

        Raises:
            TypeError: an array is not of the type that its name has.
        """
        for name, wanted in TYPES.items():
            found = getattr(self, name).dtype
            if found != wanted:
                raise TypeError(
                    f"A batch wants {name} as {np.dtype(wanted)}, got {found}: make batches with "
                    "Schema.encode, or 64-bit keys into two words with recsys.features.split."
                )

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """Batches of NumPy arrays, one after the other."""
        return jax.tree.map(lambda *parts: np.concatenate(parts), *batches)

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> "Batch":
        """Some of the examples, in this order."""
        return jax.tree.map(lambda array: array[indices], self)
