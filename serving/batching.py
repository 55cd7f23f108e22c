"""Requests that wait together are answered together.

One thread does the work. While it is at it, requests gather; when it is done it takes all of them,
up to a limit. So a lone request never waits for company, and a busy server makes large batches.
"""

import asyncio
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from serving.metrics import Metrics
from serving.refusals import RefusalError, busy, unavailable


@dataclasses.dataclass(eq=False)
class Job:
    """A request on its way."""

    kind: str  # which answer is wanted
    loaded: Any  # the release that answers it, whatever is activated meanwhile
    request: Any
    deadline: float  # of time.monotonic
    answer: "asyncio.Future[Any]"
    began: float = dataclasses.field(default_factory=time.monotonic)


Work = Callable[[Sequence[Job]], Sequence[Any]]  # an answer or an exception for each


class Batcher:
    """A bounded queue and the thread that empties it."""

    def __init__(self, work: Work, *, most_waiting: int, most_together: int, metrics: Metrics):
        """Starts the thread.

        Args:
            work: Answers jobs, in their order.
            most_waiting: Jobs in the queue; another one is refused.
            most_together: Jobs of one call of work.
            metrics: Where sizes and times are told.
        """
        self._work, self._metrics = work, metrics
        self._most_waiting, self._most_together = most_waiting, most_together
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    async def answer(self, kind: str, loaded: Any, request: Any, *, within_s: float) -> Any:
        """The answer to a request.

        Raises:
            RefusalError: the queue is full, the deadline has passed, or the request is wrong.
        """
        if self._waiting >= self._most_waiting:
            raise busy(f"{self._most_waiting} requests are waiting: come back in a second.")
        loop = asyncio.get_running_loop()
        job = Job(kind, loaded, request, time.monotonic() + within_s, loop.create_future())
        self._waiting += 1
        self._queue.put(job)
        alarm = loop.call_later(within_s, _tell, [(job, _late())])
        try:
            return await job.answer
        finally:
            alarm.cancel()
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)

    def close(self) -> None:
        """Ends the thread when it has answered what is waiting."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            job = self._queue.get()
            jobs = []
            while job is not None:
                jobs.append(job)
                if len(jobs) == self._most_together or self._queue.empty():
                    break
                job = self._queue.get()
            if jobs:
                self._answer(jobs)
            if job is None:
                return

    def _answer(self, jobs: list[Job]) -> None:
        now = time.monotonic()
        for job in jobs:
            self._metrics.stage.labels("queue").observe(now - job.began)
        jobs, late = (
            [job for job in jobs if job.deadline > now and not job.answer.done()],
            [job for job in jobs if job.deadline <= now],
        )
        self._metrics.batch.observe(len(jobs))
        try:
            answers = self._work(jobs) if jobs else []
        except Exception as error:  # told to each, so that none waits for ever
            answers = [error] * len(jobs)
        told = [*zip(jobs, answers, strict=True), *((job, _late()) for job in late)]
        if told:
            told[0][0].answer.get_loop().call_soon_threadsafe(_tell, told)


def _tell(told: list[tuple[Job, Any]]) -> None:
    for job, answer in told:
        if job.answer.done():  # whoever asked has gone
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)


def _late() -> RefusalError:
    return unavailable("The deadline has passed before an answer was ready: come back in a second.")
