"""Timing contenders fairly on a noisy machine: in turn, round by round, compared within a round.

A shared machine drifts by more than systems differ. So the contenders take turns, A B C A B C, and
a comparison is the median over rounds of the ratio within each round.
"""

import dataclasses
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Summary:
    """The middle of many measurements, and the quartiles around it."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} [{self.low:.3g}, {self.high:.3g}]"


def interleave(
    runners: Mapping[str, Callable[[int], Any]],
    *,
    rounds: int,
    warmup: int = 1,
    turn: int = 8,
    rest_s: float = 0.02,
) -> dict[str, list[float]]:
    """The seconds of one step of each runner in each round.

    A turn is `turn` steps in a row, as a training loop takes them, after one that is not measured
    and fills the caches, which the contender before has left with its own rows. runner(i) does its
    i-th step, or queues it and returns arrays to wait for; the clock stops when all are done. A
    runner rotates over batches of its own by i. The rest before each turn lets the worker threads
    of the last contender stop spinning, which would otherwise be billed to the next.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    gc.collect()
    gc.disable()
    try:
        for number in range(warmup + rounds):
            for name, run in runners.items():
                time.sleep(rest_s)
                jax.block_until_ready(run(number))
                start = time.perf_counter()
                last = [run(number + 1 + i) for i in range(turn)][-1]
                jax.block_until_ready(last)
                seconds[name].append((time.perf_counter() - start) / turn)
    finally:
        gc.enable()
    return {name: values[warmup:] for name, values in seconds.items()}


def require_quiet(most: float = 1.0) -> None:
    """Refuses to go on while other processes want the cores.

    OpenMP threads wait for each other, so a busy machine slows PyTorch many times more than XLA:
    numbers taken there would cripple the peers.

    Raises:
        RuntimeError: more than `most` processes ran or waited on average over the last minute.
    """
    load = os.getloadavg()[0]
    if load > most:
        raise RuntimeError(
            f"A benchmark wants the machine to itself, a load below {most:g}, got {load:.1f}: "
            "wait for other processes to end, or look without keeping the numbers (--no-save)."
        )


def summarise(values: Sequence[float], *, scale: float = 1.0) -> Summary:
    """Median and quartiles, times `scale` (1e3 for milliseconds)."""
    low, median, high = np.percentile(np.asarray(values) * scale, (25, 50, 75))
    return Summary(float(low), float(median), float(high))


def ratio(over: Sequence[float], under: Sequence[float]) -> Summary:
    """How many times longer `over` took than `under`, round by round."""
    return summarise([slow / fast for slow, fast in zip(over, under, strict=True)])
