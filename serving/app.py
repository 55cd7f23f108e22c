"""The application: routes over one server, begun and ended with it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.refusals import RefusalError
from serving.routes import ENDPOINTS
from serving.server import Server

LOG = logging.getLogger("serving")
LEAST_USERS = 8  # of late, before the index is measured with them


def make_app(server: Server) -> Starlette:
    """What users ask; all routes, if there is no admin port.

    The newest release is activated before the first request is taken.
    """
    is_apart = server.settings.admin_port is not None

    @contextlib.asynccontextmanager
    async def alive(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(server.releases.start)
        probing = asyncio.create_task(_probe(server))
        yield
        server.is_stopping = True
        probing.cancel()
        await asyncio.to_thread(server.close)

    return _app(server, admin=None if not is_apart else False, lifespan=alive)


def make_admin_app(server: Server) -> Starlette:
    """What operators ask, on a port of its own."""
    return _app(server, admin=True, lifespan=None)


def _app(server: Server, *, admin: bool | None, lifespan) -> Starlette:
    chosen = [each for each in ENDPOINTS if admin is None or each.is_admin == admin]
    routes = [
        Route(each.path, server.respond(each), methods=[each.method], include_in_schema=False)
        for each in chosen
    ]

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = {404: "unknown", 405: "wrong_method"}.get(status, "malformed")
        told = f"There is no {request.method} {request.url.path}: /openapi.json has what there is."
        response = server._refused(RefusalError(status, code, told), "")
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: missing})


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
