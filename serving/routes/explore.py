"""The page to explore a release by hand, and what it asks."""

import asyncio
import mimetypes
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from serving.exploring import About, Explorer, FoundItems, FoundUsers, Search
from serving.refusals import unknown
from serving.reply import Reply
from serving.server import Call, Endpoint, Server

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
FILES = ("index.html", "explorer.css", "explorer.js", "icon.svg")


async def page(server: Server, call: Call) -> Any:
    """The page itself."""
    return _file("index.html")


async def file(server: Server, call: Call) -> Any:
    """What the page loads."""
    return _file(call.path["file"])


async def about(server: Server, call: Call) -> Any:
    """What the release is."""
    return await _asked(server, Explorer.about)


async def items(server: Server, call: Call) -> Any:
    """Items by a few letters."""
    return await _asked(server, Explorer.items, call.message)


async def users(server: Server, call: Call) -> Any:
    """Users by a few letters."""
    return await _asked(server, Explorer.users, call.message)


async def _asked(server: Server, ask: Callable[..., Any], *told: Any) -> Any:
    """What the explorer of a release says, in another thread: it looks at every title."""
    loaded = server.releases.take()
    try:
        return await asyncio.to_thread(lambda: ask(loaded.explorer, *told))
    finally:
        server.releases.give(loaded)


def _file(name: str) -> Reply:
    if name not in FILES:
        raise unknown(f"The page has no file {name!r}: it has {', '.join(FILES)}.")
    content = (files("serving") / "explorer" / name).read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Reply(content, f"{kind}; charset=utf-8", headers=HEADERS)


ENDPOINTS = (
    Endpoint("GET", "/", page, "A page to explore the release by hand", None),
    Endpoint("GET", "/explorer/{file}", file, "What the page loads", None),
    Endpoint("GET", "/v1/about", about, "What the release is", "read", None, About),
    Endpoint(
        "POST", "/v1/explore/items", items, "Items by a few letters", "read", Search, FoundItems
    ),
    Endpoint(
        "POST", "/v1/explore/users", users, "Users by a few letters", "read", Search, FoundUsers
    ),
)
