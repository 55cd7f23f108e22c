"""Shuffled batches of data larger than memory: read in blocks, mixed in windows.

The examples are cut into blocks of neighbours. In each epoch the blocks come in a new order; so
many of them as make a window are read from front to back, each in one piece, and their examples
are shuffled together. Batches are a pure function of the step here too: to begin at any step,
one window is read.

Nothing is copied: the window is where the operating system keeps what was read a moment ago, which
is where a store's rows are gathered from.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from recsys.data.examples import Examples
from recsys.data.loader import check, place_of, shared
from recsys.data.order import permute
from recsys.features.batch import Batch

_APART = 512  # of the numbers of an example, one in so many is looked at: one in a page of memory

Numbers = Int64[np.ndarray, "numbers"]


@runtime_checkable
class Fetches(Protocol):
    """Examples that know how to be read from the disk before they are taken."""

    def fetch(self, start: int, stop: int) -> None:
        """Returns when they are in memory."""
        ...


class Blocks:
    """Batches of `size` examples from a window that moves over the data, block by block.

    Each example comes once an epoch, except for the remainder that fills no batch. An example
    meets those of its window only, so neighbours on disk should not be alike beyond a block.

    A process reads a range of the examples of its own, so that it needs no other part of the
    data and none is read twice; the order depends on how many processes there are.
    """

    def __init__(
        self,
        data: Examples,
        *,
        size: int,
        seed: int = 0,
        block: int = 65_536,
        window: int = 8,
        process_index: int | None = None,
        process_count: int | None = None,
    ) -> None:
        """Batches of the examples of `data`.

        Args:
            data: What to read, such as a split of a `Store`.
            size: Examples of a batch, over all processes.
            seed: From 0 to 2^64 - 1.
            block: Examples that are read in one piece: some megabytes, so that disks read on.
            window: Blocks that are mixed; memory should have room for three windows.
            process_index: Which of the processes that share a batch this one is; JAX knows.
            process_count: How many processes share a batch; JAX knows.
        """
        check("Blocks", len(data), size, seed)
        if block < 1 or window < 1:
            raise ValueError(
                f"Blocks wants blocks and windows of at least 1, got block={block} and "
                f"window={window}: use more."
            )
        self.data, self.size, self.seed, self.block, self.window = data, size, seed, block, window
        share = shared(size, process_index, process_count)
        self.share, self.process_index, self.process_count = share
        start, stop = (len(data) * (self.process_index + n) // self.process_count for n in (0, 1))
        self._starts = np.arange(start, stop, block)
        self._stops = np.append(self._starts[1:], stop)
        self._windows = -(-len(self._starts) // window)  # in an epoch
        self._plan = lru_cache(maxsize=4)(self._planned)
        self._ahead = _Ahead(self._read)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        return len(self.data) // self.process_count // self.share

    @property
    def order(self) -> dict[str, Any]:
        """What the order of the examples follows from."""
        return {
            "examples": len(self.data),
            "size": self.size,
            "seed": self.seed,
            "block": self.block,
            "window": self.window,
            "processes": self.process_count,
        }

    def batch(self, step: int) -> Batch:
        """What this process reads of batch number `step`, counted from 0 over all epochs."""
        epoch, place = place_of(step, self)
        for number in self._plan(epoch).windows(place * self.share, (place + 1) * self.share):
            self._ahead.wait(epoch * self._windows + number)
        return self.data.take(self.indices(step))

    def indices(self, step: int) -> Numbers:
        """Which examples this process reads for batch number `step`."""
        epoch, place = place_of(step, self)
        start, stop = place * self.share, (place + 1) * self.share
        plan = self._plan(epoch)
        parts = []
        for number in plan.windows(start, stop):
            first, end = plan.ends[number : number + 2].tolist()
            positions = np.arange(max(start, first), min(stop, end)) - first
            key = (self.seed, epoch, self.process_index, number)
            block, within = np.divmod(permute(positions, end - first, key=key), self.block)
            parts.append(self._starts[plan.blocks[number]][block] + within)
        return np.concatenate(parts)

    def _planned(self, epoch: int) -> "_Plan":
        count = len(self._starts)
        order = permute(np.arange(count), count, key=(self.seed, epoch, self.process_index))
        # Disks like to go forward, and so the one block that may be short is its window's last.
        blocks = [np.sort(part) for part in np.array_split(order, self._windows)]
        lengths = [int((self._stops[part] - self._starts[part]).sum()) for part in blocks]
        return _Plan(blocks, np.cumsum([0, *lengths]))

    def _read(self, number: int) -> None:
        """Has a window, counted over all epochs, brought into memory."""
        epoch, place = divmod(number, self._windows)
        blocks = self._plan(epoch).blocks[place]
        for start, stop in zip(self._starts[blocks], self._stops[blocks], strict=True):
            if isinstance(self.data, Fetches):
                self.data.fetch(int(start), int(stop))
            else:
                part = self.data.take(slice(int(start), int(stop)))
                for array in (part.low, part.numbers):
                    array[:, ::_APART].max(initial=0)


class _Plan(NamedTuple):
    """The windows of one epoch."""

    blocks: list[Numbers]  # of each window, in the order of the examples
    ends: Numbers  # how many examples come before each window, and in all

    def windows(self, start: int, stop: int) -> range:
        """Which windows hold the examples at the positions from start to stop."""
        first, last = np.searchsorted(self.ends, [start, stop - 1], side="right") - 1
        return range(int(first), int(last) + 1)


class _Ahead:
    """Reads windows by their number, each one while the one before it is in use."""

    def __init__(self, read: Callable[[int], None]) -> None:
        self._read = read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recsys-blocks")
        self._lock = threading.Lock()
        self._begun: dict[int, Future[None]] = {}

    def wait(self, number: int) -> None:
        """Returns when a window was read; the one after it is read meanwhile."""
        with self._lock:
            near = (number - 1, number, number + 1)  # several threads ask, and not quite in order
            self._begun = {other: self._begun[other] for other in near if other in self._begun}
            for wanted in (number, number + 1):
                if wanted not in self._begun:
                    self._begun[wanted] = self._thread.submit(self._read, wanted)
            found = self._begun[number]
        found.result()
