"""What every route has at hand, and what every request goes through before and after its route."""

import dataclasses
import itertools
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.answering import Answering
from serving.batching import Batcher
from serving.keys import Keys, Scope
from serving.messages import Answer
from serving.messages import Request as Message
from serving.metrics import Metrics
from serving.refusals import Failure, Problem, RefusalError, conflict, invalid, malformed
from serving.releases import Releases
from serving.settings import Settings

LOG = logging.getLogger("serving")
JSON, TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
REQUEST_ID = re.compile(r"[\w.:-]{1,64}\Z")


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
        )

    def close(self) -> None:
        """Answers what waits, and lets go of everything."""
        self.batcher.close()
        self.releases.close()

    async def ask(self, kind: str, call: Call) -> Any:
        """An answer of the release whose turn it is."""
        message: Message = call.message
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

    def respond(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """A route for Starlette."""
        takes = endpoint.takes
        decoder = msgspec.json.Decoder(takes) if takes is not None else None
        seconds = self.metrics.seconds.labels(endpoint.path)

        async def answer(request: Request) -> Response:
            start = time.perf_counter()
            given = request.headers.get("x-request-id", "")
            request_id = given if REQUEST_ID.match(given) else self._new_id()
            try:
                self._allow(request, endpoint.scope)
                message = None
                if decoder is not None:
                    message = _decoded(decoder, await self._body(request))
                call = Call(message, request_id, request.path_params)
                response = _response(await endpoint.handle(self, call))
            except Exception as error:
                response = self._refused(error, request_id)
            response.headers["x-request-id"] = request_id
            took = time.perf_counter() - start
            seconds.observe(took)
            self.metrics.requests.labels(endpoint.path, response.status_code).inc()
            if self.settings.logs_requests or response.status_code >= 500:
                self._log(endpoint, response, request_id, took)
            return response

        return answer

    def _new_id(self) -> str:
        """An id that no other request of this or another start has."""
        return f"{self._start}-{next(self._numbers):x}"

    def _allow(self, request: Request, scope: Scope | None) -> None:
        """Refuses whoever has no key, or one that does not open this."""
        if self.keys is None or scope is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = self.keys.owner(given or request.headers.get("x-api-key", ""))
        if key is None:
            raise RefusalError(
                401, "unauthorized", "This wants a key, got none that opens it: send it as Bearer."
            )
        if scope not in key.scopes:
            raise RefusalError(
                403,
                "forbidden",
                f"This wants a key with scope {scope}, got {', '.join(key.scopes)}.",
            )

    async def _body(self, request: Request) -> bytes:
        """The body, no longer than allowed, whatever its header says."""
        most, parts, size = self.settings.most_body_bytes, [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise RefusalError(
                    413, "too_large", f"A body has at most {most:,} bytes: ask in smaller parts."
                )
            parts.append(part)
        return b"".join(parts)

    def _refused(self, error: Exception, request_id: str) -> Response:
        if not isinstance(error, RefusalError):
            LOG.error("A request failed.", exc_info=error, extra={"told": {"request": request_id}})
            error = RefusalError(500, "internal", "The server failed; its log says why.")
        body = Failure(Problem(error.code, error.message, request_id))
        return Response(
            msgspec.json.encode(body), error.status, headers=error.headers(), media_type=JSON
        )

    def _log(self, endpoint: Endpoint, response: Response, request_id: str, took: float) -> None:
        told = {
            "request": request_id,
            "route": endpoint.path,
            "status": response.status_code,
            "ms": round(took * 1e3, 2),
        }
        LOG.info("request", extra={"told": told})


class JsonLines(logging.Formatter):
    """A line of JSON for each record."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _decoded(decoder: Any, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(f"The body does not fit: {error}.") from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise malformed(f"The body is no JSON that can be read: {error}.") from error


def _response(answer: Any) -> Response:
    if isinstance(answer, Response):
        return answer
    return Response(msgspec.json.encode(answer), media_type=JSON)
