"""Batches read ahead of the step that wants them, by threads of Grain.

An element of the pipeline is a whole batch, named by its step: nothing else is worked out, kept or
saved. What was read ahead and not used is read again after a restart, for the step is the state.
"""

import os
from collections.abc import Callable
from typing import Any

import grain
import jax
import numpy as np

from recsys.data.loader import Loader
from recsys.features.batch import Batch

READERS = max(1, min(4, (os.cpu_count() or 1) // 2))  # threads; more of them wait for Python's lock
AHEAD = 4  # batches that wait, on the devices already


def batches(
    loader: Loader,
    *,
    start: int = 0,
    stop: int | None = None,
    put: Callable[[Batch], Any] | None = None,
) -> grain.MapDataset:
    """The batches from one step to another as a dataset of Grain, by number.

    Args:
        loader: What makes them.
        start: The first step.
        stop: The step after the last; the end of the epoch of `start` where there is none.
        put: What is done to each, such as to bring it to the devices: `Learner.put`.
    """
    if stop is None:
        stop = (start // loader.steps_per_epoch + 1) * loader.steps_per_epoch

    def read(step: int) -> Any:
        # A store hands out views of its rows, which JAX copies slowly.
        batch = jax.tree.map(np.ascontiguousarray, loader.batch(step))
        return batch if put is None else put(batch)

    return grain.MapDataset.range(start, stop).map(read)


def stream(
    loader: Loader,
    *,
    start: int = 0,
    stop: int | None = None,
    put: Callable[[Batch], Any] | None = None,
    readers: int = READERS,
    ahead: int = AHEAD,
) -> grain.DatasetIterator:
    """The same as an iterator that reads ahead; close it when done.

    Its `get_state` names the batch after the last that was taken from it.

    Args:
        loader: What makes them.
        start: The first step.
        stop: The step after the last; the end of the epoch of `start` where there is none.
        put: What is done to each, such as to bring it to the devices: `Learner.put`.
        readers: Threads; 0 reads when asked.
        ahead: Batches that may wait, on the devices where `put` brings them there.
    """
    options = grain.ReadOptions(num_threads=readers, prefetch_buffer_size=ahead)
    return iter(batches(loader, start=start, stop=stop, put=put).to_iter_dataset(options))
