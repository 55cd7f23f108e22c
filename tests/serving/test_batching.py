"""Requests that wait are answered together, in time or not at all."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from serving.batching import Batcher, Job
from serving.metrics import Metrics
from serving.refusals import RefusalError


class Work:
    """Work that waits until it may go on, and remembers what it got."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.began, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, jobs: Sequence[Job]) -> list[Any]:
        self.sizes.append(len(jobs))
        self.began.set()
        assert self.goes_on.wait(60)
        return [job.request if job.request != 13 else ValueError("unlucky") for job in jobs]


def run(most_waiting: int, ask: Any) -> Work:
    """Runs what asks a batcher of at most four together."""
    work = Work()
    batcher = Batcher(work, most_waiting=most_waiting, most_together=4, metrics=Metrics())
    asyncio.run(ask(batcher, work))
    work.goes_on.set()
    batcher.close()
    return work


def begin(batcher: Batcher, requests: Sequence[Any], within_s: float = 60) -> list[asyncio.Task]:
    return [
        asyncio.create_task(batcher.answer("kind", None, request, within_s=within_s))
        for request in requests
    ]


def test_what_gathers_while_one_is_answered_is_answered_together():
    async def ask(batcher: Batcher, work: Work) -> None:
        first = begin(batcher, ["a"])
        await asyncio.to_thread(work.began.wait, 60)
        rest = begin(batcher, ["b", "c", "d", "e", "f"])
        await asyncio.sleep(0)
        work.goes_on.set()
        assert await asyncio.gather(*first, *rest) == ["a", "b", "c", "d", "e", "f"]

    assert run(100, ask).sizes == [1, 4, 1]


def test_a_full_queue_is_told_to_come_back():
    async def ask(batcher: Batcher, work: Work) -> None:
        tasks = begin(batcher, ["a", "b"])
        await asyncio.sleep(0)
        with pytest.raises(RefusalError) as refusal:
            await batcher.answer("kind", None, "c", within_s=60)
        assert (refusal.value.status, refusal.value.retry_after_s) == (429, 1)
        work.goes_on.set()
        await asyncio.gather(*tasks)
        assert await batcher.answer("kind", None, "d", within_s=60) == "d"

    run(2, ask)


def test_a_request_whose_deadline_has_passed_is_not_worked_on():
    async def ask(batcher: Batcher, work: Work) -> None:
        first = begin(batcher, ["a"])
        await asyncio.to_thread(work.began.wait, 60)
        with pytest.raises(RefusalError) as refusal:
            await batcher.answer("kind", None, "late", within_s=0.01)
        assert (refusal.value.status, refusal.value.retry_after_s) == (503, 1)
        work.goes_on.set()
        await asyncio.gather(*first)
        assert await batcher.answer("kind", None, "b", within_s=60) == "b"

    assert run(100, ask).sizes == [1, 1]


def test_one_wrong_request_spoils_no_other():
    async def ask(batcher: Batcher, work: Work) -> None:
        work.goes_on.set()
        found = await asyncio.gather(*begin(batcher, [12, 13, 14]), return_exceptions=True)
        assert [str(one) for one in found] == ["12", "unlucky", "14"]

    run(100, ask)


def test_a_quick_request_that_is_alone_is_answered_on_the_spot():
    threads = []

    def work(jobs: Sequence[Job]) -> list[Any]:
        threads.append((threading.current_thread(), len(jobs)))
        return [job.request for job in jobs]

    async def ask() -> None:
        assert await batcher.answer("kind", None, "a", within_s=60) == "a"
        assert await asyncio.gather(*begin(batcher, ["b", "c"])) == ["b", "c"]
        assert await batcher.answer("kind", None, "slow", within_s=60) == "slow"

    batcher = Batcher(
        work,
        most_waiting=10,
        most_together=4,
        metrics=Metrics(),
        is_quick=lambda job: job.request != "slow",
    )
    asyncio.run(ask())
    batcher.close()
    here = [thread is threading.current_thread() for thread, _ in threads]
    assert here[0]
    assert not any(here[1:])
    assert sum(count for _, count in threads) == 4
