"""The application: routes over one server, begun and ended with it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.refusals import RefusalError
from serving.responding import Responder
from serving.routes import ENDPOINTS
from serving.server import Server

LOG = logging.getLogger("serving")
LEAST_USERS = 8  # of late, before the index is measured with them


def make_app(server: Server) -> ASGIApp:
    """What users ask; all routes, if there is no admin port.

    The newest release is activated before the first request is taken.
    """
    is_apart = server.settings.admin_port is not None

    @contextlib.asynccontextmanager
    async def alive(app: Starlette) -> AsyncIterator[None]:
        if server.releases.active is None:
            await asyncio.to_thread(server.releases.start)
        probing = asyncio.create_task(_probe(server))
        yield
        server.is_stopping = True
        probing.cancel()
        await asyncio.to_thread(server.close)

    return _app(server, admin=None if not is_apart else False, lifespan=alive)


def make_admin_app(server: Server) -> ASGIApp:
    """What operators ask, on a port of its own."""
    return _app(server, admin=True, lifespan=None)


def _app(server: Server, *, admin: bool | None, lifespan: Any) -> ASGIApp:
    """Routes by their exact path, without any search; the rest, and what is none, by Starlette."""
    chosen = [each for each in ENDPOINTS if admin is None or each.is_admin == admin]
    made = [(each, Responder(server, each)) for each in chosen]
    straight = {(each.method, each.path): responder for each, responder in made}
    routes = [Route(each.path, responder, methods=[each.method]) for each, responder in made]

    async def missing(request: Request, error: Exception) -> Response:
        """What is answered where no route is, or another method of one."""
        assert isinstance(error, HTTPException)
        code = "wrong_method" if error.status_code == 405 else "unknown"
        told = f"There is no {request.method} {request.url.path}: /openapi.json has what there is."
        request_id = server.new_id()
        reply = server.refused(RefusalError(code, told), request_id)
        headers = {"x-request-id": request_id, **(error.headers or {})}
        return Response(reply.body, reply.status, headers=headers, media_type=reply.kind)

    others = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: missing}
    )
    others.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http":
            found = straight.get((scope["method"], scope["path"]))
        await (found or others)(scope, receive, send)

    return app


async def _probe(server: Server) -> None:
    """Measures the index with users of late, again and again."""
    while True:
        await asyncio.sleep(server.settings.probe_s)
        loaded = server.releases.active
        if loaded is None or loaded.index is None:
            continue
        server.metrics.items.set(len(loaded.index))
        if len(loaded.users) < LEAST_USERS:
            continue
        try:
            users = np.stack(list(loaded.users))
            found = await asyncio.to_thread(loaded.index.measured, users)
            server.metrics.recall.set(found.value)
        except Exception:  # a measurement that fails must not end the server
            LOG.exception("The index was not measured.")
