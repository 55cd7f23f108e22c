"""From a request as ASGI hands it over to its answer: allowed, read, answered, counted, logged."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from serving.keys import Scope as KeyScope
from serving.refusals import RefusalError, invalid, malformed
from serving.reply import Reply
from serving.server import Call, Endpoint, Server

LOG = logging.getLogger("serving")
REQUEST_ID = re.compile(r"[\w.:-]{1,64}\Z", re.ASCII)
Headers = Mapping[bytes, bytes]  # names in small letters


class Responder:
    """One route, as an ASGI application of its own."""

    def __init__(self, server: Server, endpoint: Endpoint):
        self._server, self._endpoint = server, endpoint
        self._decoder = None
        if endpoint.takes is not None:
            self._decoder = msgspec.json.Decoder(endpoint.takes)
        self._seconds = server.metrics.seconds.labels(endpoint.path)
        self._counts: dict[int, Any] = {}  # by status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if REQUEST_ID.match(given) else self._server.new_id()
        try:
            self._allow(headers, self._endpoint.scope)
            message = None
            if self._decoder is not None:
                message = _decoded(self._decoder, await self._body(receive))
            call = Call(message, request_id, scope.get("path_params", {}))
            reply = Reply.of(await self._endpoint.handle(self._server, call))
        except Exception as error:
            reply = self._server.refused(error, request_id)
        await reply.send(send, request_id)
        self._count(reply.status, request_id, time.perf_counter() - start)

    def _allow(self, headers: Headers, scope: KeyScope | None) -> None:
        """Refuses whoever has no key, or one that does not open this."""
        keys = self._server.keys
        if keys is None or scope is None:
            return
        given = headers.get(b"authorization", b"").decode("latin-1").removeprefix("Bearer ")
        key = keys.owner(given or headers.get(b"x-api-key", b"").decode("latin-1"))
        if key is None:
            raise RefusalError(
                "unauthorized", "This wants a key, got none that opens it: send it as Bearer."
            )
        if scope not in key.scopes:
            raise RefusalError(
                "forbidden", f"This wants a key with scope {scope}, got {', '.join(key.scopes)}."
            )

    async def _body(self, receive: Receive) -> bytes:
        """The body, no longer than allowed, whatever its header says."""
        most, parts, size = self._server.settings.most_body_bytes, [], 0
        while True:
            message: Message = await receive()
            if message["type"] == "http.disconnect":
                raise malformed("The body should have come whole, and the client went away.")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                raise RefusalError(
                    "too_large", f"A body has at most {most:,} bytes: ask in smaller parts."
                )
            if not message.get("more_body", False):
                return b"".join(parts)

    def _count(self, status: int, request_id: str, took: float) -> None:
        path = self._endpoint.path
        self._seconds.observe(took)
        if status not in self._counts:
            self._counts[status] = self._server.metrics.requests.labels(path, status)
        self._counts[status].inc()
        if self._server.settings.logs_requests or status >= 500:
            told = {"request": request_id, "route": path, "status": status}
            LOG.info("request", extra={"told": {**told, "ms": round(took * 1e3, 2)}})


def _decoded(decoder: Any, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(f"The body does not fit: {error}.") from error
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise malformed(f"The body is no JSON that can be read: {error}.") from error
