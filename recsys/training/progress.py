"""Progress: what training says while it runs, without making the device wait for it.

Reports are fetched in blocks, so that the host queues steps ahead of the device, but no more than
some two seconds of them: a stop or a cap comes in time. The bar shows on a terminal only; whole
lines, as after each epoch, go to stderr either way.
"""

import math
import sys
import time

import jax
from tqdm import tqdm

from recsys.data.loader import Loader
from recsys.training.learner import Learner
from recsys.training.log import MetricsLog
from recsys.training.step import Report

AHEAD = 32  # most steps that wait on the device after a fetch; twice as many bring on the next
AHEAD_S = 1.0  # and most seconds of them, if not of one step


class Progress:
    """Takes the report of each step; shows and logs it some steps later."""

    def __init__(
        self,
        learner: Learner,
        loader: Loader,
        *,
        start: int,
        total: int,
        log: MetricsLog | None,
        log_every: int,
    ):
        """Progress of a run that stands at step `start` of `total`."""
        # Virtual CPU devices share a pool of threads: a queue of their collectives can block it.
        is_virtual = learner.mesh.size > 1 and jax.default_backend() == "cpu"
        self.most_ahead = 0 if is_virtual else AHEAD
        self.ahead = min(1, self.most_ahead)  # until it is known how long a step takes
        self.size, self.log, self.log_every = loader.size, log, log_every
        self.loss = math.nan  # of the last step that was fetched
        self._waiting: list[tuple[int, Report]] = []
        self._examples, self._seconds, self._mark = 0, 0.0, math.nan
        self._fetched_at = math.nan
        self._bar = tqdm(
            initial=start * self.size,
            total=total * self.size,
            unit=" examples",
            unit_scale=True,
            file=sys.stderr,
            disable=None,  # unless it is a terminal
        )

    def add(self, step: int, report: Report) -> None:
        """Takes the report of a step that was just queued; `step` counts it in."""
        self._waiting.append((step, report))
        if math.isnan(self._mark):  # the clock stands, as before the first step: it was compiled
            jax.block_until_ready(report)
            self._mark = self._fetched_at = time.perf_counter()
            return
        self._examples += self.size
        if len(self._waiting) > 2 * self.ahead:
            self._fetch(len(self._waiting) - self.ahead)

    def settle(self) -> None:
        """Waits for all steps and stops the clock; the next step starts it again."""
        self._fetch(len(self._waiting))
        if not math.isnan(self._mark):
            self._seconds += time.perf_counter() - self._mark
            self._mark = math.nan

    @property
    def examples_per_s(self) -> float:
        """Of training alone: the steps that start the clock and what lies between do not count."""
        return self._examples / self._seconds if self._seconds else math.nan

    def say(self, text: str) -> None:
        """A line on stderr, above the bar."""
        self._bar.write(text, file=sys.stderr)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _fetch(self, count: int) -> None:
        """Shows and logs the earliest reports; waits for them, and sees how long a step takes."""
        fetched, self._waiting = self._waiting[:count], self._waiting[count:]
        for step, report in jax.device_get(fetched):
            self.loss = float(report.loss)
            if self.log and step % self.log_every == 0:
                self.log.write(step, loss=self.loss, grad_norm=float(report.grad_norm))
        now = time.perf_counter()
        if fetched and now > self._fetched_at:
            steps = int(AHEAD_S * len(fetched) / (now - self._fetched_at))
            self.ahead = min(max(1, steps), self.most_ahead)
        self._fetched_at = now
        if self.log:
            self.log.flush()
        if fetched:
            self._bar.update(len(fetched) * self.size)
            self._bar.set_postfix(loss=f"{self.loss:.4f}")
