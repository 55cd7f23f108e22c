"""Why an answer is what it is."""

from typing import Any

from serving.messages import Explain, Reasons
from serving.server import Call, Endpoint, Server


async def explain(server: Server, call: Call) -> Any:
    """Skills or features, and what each adds to a score."""
    return await server.ask("explain", call)


ENDPOINTS = (Endpoint("POST", "/v1/explain", explain, "Why a score", "read", Explain, Reasons),)
