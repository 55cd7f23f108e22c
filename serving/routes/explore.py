"""The page to explore a release by hand, and what it asks."""

import mimetypes
import weakref
from importlib.resources import files
from typing import Any

from starlette.responses import Response

from recsys.release import Release
from serving.exploring import About, Explorer, FoundItems, FoundUsers, Search
from serving.refusals import unknown
from serving.server import Call, Endpoint, Server

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
HEADERS = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
FILES = ("index.html", "explorer.css", "explorer.js", "icon.svg")

_explorers: "weakref.WeakKeyDictionary[Release, Explorer]" = weakref.WeakKeyDictionary()


async def page(server: Server, call: Call) -> Any:
    """The page itself."""
    return _file("index.html")


async def file(server: Server, call: Call) -> Any:
    """What the page loads."""
    return _file(call.path["file"])


async def about(server: Server, call: Call) -> Any:
    """What the release is."""
    return _explorer(server).about()


async def items(server: Server, call: Call) -> Any:
    """Items by a few letters."""
    return _explorer(server).items(call.message)


async def users(server: Server, call: Call) -> Any:
    """Users by a few letters."""
    return _explorer(server).users(call.message)


def _explorer(server: Server) -> Explorer:
    loaded = server.releases.take()
    try:
        if loaded.release not in _explorers:
            _explorers[loaded.release] = Explorer.of(loaded.release)
        return _explorers[loaded.release]
    finally:
        server.releases.give(loaded)


def _file(name: str) -> Response:
    if name not in FILES:
        raise unknown(f"The page has no file {name!r}: it has {', '.join(FILES)}.")
    content = (files("serving") / "explorer" / name).read_bytes()
    kind = mimetypes.guess_type(name)[0]
    return Response(content, headers=HEADERS, media_type=kind)


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
