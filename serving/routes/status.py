"""Whether the server lives and is ready, what it counts, and what it offers."""

from typing import Any

from serving.reply import Reply
from serving.server import Call, Endpoint, Server

TEXT = "text/plain; version=0.0.4; charset=utf-8"


async def metrics(server: Server, call: Call) -> Any:
    """Counts for Prometheus."""
    return Reply(server.metrics.text(), TEXT)


async def document(server: Server, call: Call) -> Any:
    """The OpenAPI document."""
    from serving.openapi import openapi  # which reads the registry that this file is part of

    return openapi()


ENDPOINTS = (
    Endpoint("GET", "/metrics", metrics, "Counts for Prometheus", is_admin=True),
    Endpoint("GET", "/openapi.json", document, "This document", None),
)
