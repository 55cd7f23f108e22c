"""Shuffled whole batches as a pure function of the step.

Nothing is remembered from step to step, so resuming needs the number of the step and no state.
`Shuffled` reads examples from anywhere, for data that fit in memory or in the page cache; `Blocks`
(`blocks.py`) reads from front to back, for data that do not.
"""

from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import Int64

from recsys.data.examples import Examples
from recsys.data.order import permute
from recsys.features.batch import Batch


@runtime_checkable
class Loader(Protocol):
    """Batches by the number of their step; `batch` may be called from several threads."""

    size: int  # examples of a batch, over all processes

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        ...

    @property
    def order(self) -> dict[str, Any]:
        """What the order of the examples follows from, as plain JSON: a run resumes on the same."""
        ...

    def batch(self, step: int) -> Batch:
        """What this process reads of batch number `step`, counted from 0 over all epochs."""
        ...


class Shuffled:
    """Batches of `size` examples in an order that is new in each epoch.

    Each example comes once an epoch, except for the remainder that fills no batch; it is drawn
    anew in each epoch, so no example is left out for good. A batch is the same however many
    processes share it.
    """

    def __init__(
        self,
        data: Examples,
        *,
        size: int,
        seed: int = 0,
        process_index: int | None = None,
        process_count: int | None = None,
    ) -> None:
        """Batches of the examples of `data`.

        Args:
            data: What to read, such as a `Batch` or a split of a `Store`.
            size: Examples of a batch, over all processes.
            seed: From 0 to 2^64 - 1.
            process_index: Which of the processes that share a batch this one is; JAX knows.
            process_count: How many processes share a batch; JAX knows.
        """
        check("Shuffled", len(data), size, seed)
        self.data, self.size, self.seed = data, size, seed
        self.share, self.process_index, _ = shared(size, process_index, process_count)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        return len(self.data) // self.size

    @property
    def order(self) -> dict[str, Any]:
        """What the order of the examples follows from."""
        return {"examples": len(self.data), "size": self.size, "seed": self.seed}

    def batch(self, step: int) -> Batch:
        """What this process reads of batch number `step`, counted from 0 over all epochs."""
        return self.data.take(self.indices(step))

    def indices(self, step: int) -> Int64[np.ndarray, "batch"]:
        """Which examples this process reads for batch number `step`."""
        epoch, place = place_of(step, self)
        first = place * self.size + self.process_index * self.share
        positions = np.arange(first, first + self.share)
        return permute(positions, len(self.data), key=(self.seed, epoch))


def check(name: str, examples: int, size: int, seed: int) -> None:
    """Refuses a size or a seed that a loader cannot have.

    Raises:
        ValueError: no batch can be filled, or the seed is not of 64 bits.
    """
    if not 1 <= size <= examples:
        raise ValueError(
            f"{name}(size={size}) cannot draw batches from {examples} examples: "
            f"use 1 <= size <= {examples}."
        )
    if not 0 <= seed < 2**64:
        raise ValueError(f"{name} wants 0 <= seed < 2^64, got seed={seed}: choose another.")


def shared(size: int, index: int | None, count: int | None) -> tuple[int, int, int]:
    """The examples of a batch that each process reads, which process this is, and of how many.

    Raises:
        ValueError: the batch cannot be shared evenly, or there is no such process.
    """
    index = jax.process_index() if index is None else index
    count = jax.process_count() if count is None else count
    if not 0 <= index < count:
        raise ValueError(
            f"Processes are numbered from 0 to process_count - 1, got process_index={index} and "
            f"process_count={count}: give both, or neither."
        )
    if size % count:
        raise ValueError(
            f"A batch is shared by {count} processes, got size={size}: use a size that {count} "
            "divides."
        )
    return size // count, index, count


def place_of(step: int, loader: Loader) -> tuple[int, int]:
    """The epoch of a step, and which of its batches it is.

    Raises:
        ValueError: the step is negative.
    """
    if step < 0:
        name = type(loader).__name__
        raise ValueError(f"{name} wants step >= 0, got step={step}: count steps from 0.")
    return divmod(step, loader.steps_per_epoch)
