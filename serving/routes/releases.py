"""Which release answers: list, activate, roll back, try on a share of the requests."""

import asyncio
from typing import Any

from serving.messages import Activate, Canary, ReleaseList
from serving.server import Call, Endpoint, Server


async def listed(server: Server, call: Call) -> Any:
    """Every release, and what it does."""
    return ReleaseList(await asyncio.to_thread(server.releases.states))


async def activate(server: Server, call: Call) -> Any:
    """Swaps the release; the old one goes on if the new one is bad."""
    asked: Activate = call.message
    await asyncio.to_thread(server.releases.activate, asked.release)
    return await listed(server, call)


async def roll_back(server: Server, call: Call) -> Any:
    """Back to the release before."""
    await asyncio.to_thread(server.releases.roll_back)
    return await listed(server, call)


async def canary(server: Server, call: Call) -> Any:
    """Gives a release a share of the requests."""
    asked: Canary = call.message
    await asyncio.to_thread(server.releases.let_try, asked.release, asked.share)
    return await listed(server, call)


def _admin(path: str, handle: Any, summary: str, takes: Any = None) -> Endpoint:
    return Endpoint("POST", path, handle, summary, "admin", takes, ReleaseList, is_admin=True)


ENDPOINTS = (
    Endpoint("GET", "/v1/releases", listed, "All releases", "read", None, ReleaseList),
    _admin("/v1/releases/activate", activate, "Swap the release", Activate),
    _admin("/v1/releases/rollback", roll_back, "Back to the release before"),
    _admin("/v1/releases/canary", canary, "Try a release on a share of the requests", Canary),
)
