"""What a way of compressing vectors is: arrays of a budget, and what reads vectors out of them."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int, Shaped

Vectors = Float32[np.ndarray, "rows dim"]
Arrays = Mapping[str, Shaped[np.ndarray, "..."]]
Ids = Int[np.ndarray, " ids"]
Decode = Callable[[Ids], Float32[np.ndarray, "ids dim"]]


@runtime_checkable
class VectorMethod(Protocol):
    """A frozen spec."""

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        """Arrays of at most so many bytes, as good as the method makes them.

        Raises:
            ValueError: the method needs more bytes for these vectors.
        """
        ...

    def reader(self, arrays: Arrays) -> Decode:
        """What reads vectors out of such arrays; needs nothing else."""
        ...


VECTOR_METHODS: dict[str, VectorMethod] = {}  # filled where all are known


def require(method: VectorMethod, floor_bytes: int, *, budget_bytes: int, vectors: Vectors) -> None:
    """Refuses a budget that is below what a method needs at least."""
    if floor_bytes > budget_bytes:
        rows, dim = vectors.shape
        raise ValueError(
            f"{type(method).__name__} needs at least {floor_bytes:,} bytes "
            f"({floor_bytes / vectors.nbytes:.1%}) for {rows:,} vectors of {dim}, got "
            f"{budget_bytes:,}: give it more, or choose another method."
        )
