"""What every route has at hand: releases, keys, counts, and the queue."""

import dataclasses
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from serving.answering import Answering
from serving.batching import Batcher, Job
from serving.keys import Keys, Scope
from serving.messages import Answer, Request
from serving.metrics import Metrics
from serving.refusals import Failure, Problem, RefusalError, conflict
from serving.releases import Releases
from serving.reply import Reply
from serving.settings import Settings

LOG = logging.getLogger("serving")


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One request, read and allowed."""

    message: Any
    request_id: str
    path: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Endpoint:
    """A route: what it takes, who may ask, and what answers. OpenAPI is made of these."""

    method: str
    path: str
    handle: "Callable[[Server, Call], Awaitable[Any]]"
    summary: str
    scope: Scope | None = "read"  # None: anybody
    takes: Any = None  # type of the body
    gives: Any = None  # type of the answer
    is_admin: bool = False  # stands on the admin port, if there is one


def is_quick(job: Job) -> bool:
    """Whether a request takes about as long as any other, whatever it says."""
    return job.kind in ("recommend", "similar") and not job.request.filter


class Server:
    """Releases, keys, counts and the queue."""

    def __init__(self, settings: Settings):
        self.settings, self.metrics = settings, Metrics()
        self.keys = Keys.read(settings.keys) if settings.keys else None
        self.releases = Releases(settings, self.metrics)
        self.is_stopping = False
        self._start, self._numbers = secrets.token_hex(6), itertools.count()
        self.batcher = Batcher(
            Answering(self.metrics),
            most_waiting=settings.most_waiting,
            most_together=settings.most_together,
            metrics=self.metrics,
            is_quick=is_quick,
        )

    def close(self) -> None:
        """Answers what waits, and lets go of everything."""
        self.batcher.close()
        self.releases.close()

    async def ask(self, kind: str, call: Call) -> Any:
        """An answer of the release whose turn it is."""
        message: Request = call.message
        loaded = self.releases.take()
        try:
            if message.space_id not in (None, loaded.space_id):
                raise conflict(
                    f"Release {loaded.id} has space {loaded.space_id}, got a request for "
                    f"{message.space_id}: embed again, or ask another release."
                )
            within_s = (message.timeout_ms or self.settings.deadline_ms) / 1000
            answer = await self.batcher.answer(kind, loaded, message, within_s=within_s)
        finally:
            self.releases.give(loaded)
        if isinstance(answer, Answer):
            answer.release, answer.space_id = loaded.id, loaded.space_id
            answer.request_id = call.request_id
        return answer

    def new_id(self) -> str:
        """An id that no other request of this or another start has."""
        return f"{self._start}-{next(self._numbers):x}"

    def refused(self, error: Exception, request_id: str) -> Reply:
        """What whoever asked is told of an error, in the one format."""
        if not isinstance(error, RefusalError):
            LOG.error("A request failed.", exc_info=error, extra={"told": {"request": request_id}})
            error = RefusalError("internal", "The server failed; its log says why.")
        body = msgspec.json.encode(Failure(Problem(error.code, error.message, request_id)))
        return Reply(body, status=error.status, headers=error.headers())
