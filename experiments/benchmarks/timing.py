"""Timing contenders fairly on a noisy machine: in turn, round by round, compared within a round.

A shared machine drifts by more than systems differ. So the contenders take turns, A B C A B C, and
a comparison is the median over rounds of the ratio within each round.
"""

import dataclasses
import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence

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
    runners: Mapping[str, Callable[[int], None]],
    *,
    rounds: int,
    warmup: int = 4,
    rest_s: float = 0.02,
) -> dict[str, list[float]]:
    """The seconds that each runner took in each round; runner(i) does its i-th step to the end.

    A runner rotates over batches of its own by i. The rest before each turn lets the worker
    threads of the last contender stop spinning, which would otherwise be billed to the next.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    gc.collect()
    gc.disable()
    try:
        for i in range(warmup + rounds):
            for name, run in runners.items():
                time.sleep(rest_s)
                start = time.perf_counter()
                run(i)
                seconds[name].append(time.perf_counter() - start)
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
