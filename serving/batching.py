"""Requests that wait together are answered together.

One thread does the work. While it is at it, requests gather; when it is done it takes all of them,
up to a limit. So a lone request never waits for company, and a busy server makes large batches. A
quick request that is alone is answered on the spot, by the event loop itself: to wake a thread and
be woken by it takes longer than what it does.
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
Told = list[tuple[Job, Any]]


def never(job: Job) -> bool:
    """No job is quick."""
    return False


class Batcher:
    """A bounded queue and the thread that empties it."""

    def __init__(
        self,
        work: Work,
        *,
        most_waiting: int,
        most_together: int,
        metrics: Metrics,
        is_quick: Callable[[Job], bool] = never,
    ):
        """Starts the thread.

        Args:
            work: Answers jobs, in their order.
            most_waiting: Jobs in the queue; another one is refused.
            most_together: Jobs of one call of work.
            metrics: Where sizes and times are told.
            is_quick: Whether a job may hold up the event loop, where nothing else waits.
        """
        self._work, self._metrics, self._is_quick = work, metrics, is_quick
        self._most_waiting, self._most_together = most_waiting, most_together
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting = 0
        self._queued = metrics.stage.labels("queue")
        self._gathered: list[Job] = []  # of one turn of the event loop
        self._away = 0  # jobs that the thread has
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
        self._gathered.append(job)
        if len(self._gathered) == 1:
            loop.call_soon(self._hand_over, loop)
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

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """What has come in this turn goes to the thread, if it is not answered at once."""
        jobs, self._gathered = self._gathered, []
        if len(jobs) == 1 and not self._away and self._is_quick(jobs[0]):
            _tell(self._answered(jobs))
            return
        self._away += len(jobs)
        for job in jobs:
            self._queue.put(job)

    def _run(self) -> None:
        """The thread."""
        while True:
            job = self._queue.get()
            jobs = []
            while job is not None:
                jobs.append(job)
                if len(jobs) == self._most_together or self._queue.empty():
                    break
                job = self._queue.get()
            if jobs:
                loop = jobs[0].answer.get_loop()
                loop.call_soon_threadsafe(self._take_back, len(jobs), self._answered(jobs))
            if job is None:
                return

    def _take_back(self, jobs: int, told: Told) -> None:
        """What the thread has answered."""
        self._away -= jobs
        _tell(told)

    def _answered(self, jobs: list[Job]) -> Told:
        """Every job with its answer, or what went wrong with it."""
        now = time.monotonic()
        for job in jobs:
            self._queued.observe(now - job.began)
        late = [job for job in jobs if job.deadline <= now]
        jobs = [job for job in jobs if job.deadline > now]
        wanted = [job for job in jobs if not job.answer.done()]
        self._metrics.batch.observe(len(wanted))
        try:
            answers = self._work(wanted) if wanted else []
        except Exception as error:  # told to each, so that none waits for ever
            answers = [error] * len(wanted)
        return [*zip(wanted, answers, strict=True), *((job, _late()) for job in late)]


def _tell(told: Told) -> None:
    for job, answer in told:
        if job.answer.done():  # whoever asked has gone
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)


def _late() -> RefusalError:
    return unavailable("The deadline has passed before an answer was ready: come back in a second.")
