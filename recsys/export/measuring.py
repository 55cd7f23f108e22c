"""How long a release takes to answer, on the machine that exports it."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from recsys.release import Release

ROWS = (1, 64)  # of a call
CALLS = 30


def latency_ms(release: Release) -> dict[str, float]:
    """The median time of a call of the query program, by its number of rows."""
    answer: Callable[[Any], Any] = release.predict if release.task == "click" else release.users
    found = {}
    for rows in ROWS:
        batch = release.encode([{}] * rows).batch
        answer(batch)  # compiles
        found[str(rows)] = round(float(np.median([_ms(answer, batch) for _ in range(CALLS)])), 4)
    return found


def _ms(answer: Callable[[Any], Any], batch: Any) -> float:
    start = time.perf_counter()
    answer(batch)
    return 1e3 * (time.perf_counter() - start)
