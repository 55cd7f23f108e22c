"""Items for users, and items near items."""

from typing import Any

from serving.messages import Ranked, Recommend, Similar
from serving.refusals import invalid
from serving.server import Call, Endpoint, Server


async def recommend(server: Server, call: Call) -> Any:
    """Items for a user."""
    asked: Recommend = call.message
    check(server, asked)
    if asked.history is not None and len(asked.history) > server.settings.most_excluded:
        raise invalid(f"A history has at most {server.settings.most_excluded} items: cut it.")
    return await server.ask("recommend", call)


async def similar(server: Server, call: Call) -> Any:
    """Items near an item."""
    check(server, call.message)
    return await server.ask("similar", call)


def check(server: Server, asked: Recommend | Similar) -> None:
    """Refuses more than the server gives."""
    settings = server.settings
    if asked.k > settings.most_k:
        raise invalid(f"An answer has at most {settings.most_k} items, got k={asked.k}: ask less.")
    if len(asked.exclude) > settings.most_excluded:
        raise invalid(
            f"A request excludes at most {settings.most_excluded} items, got {len(asked.exclude)}."
        )


ENDPOINTS = (
    Endpoint("POST", "/v1/recommend", recommend, "Items for a user", "read", Recommend, Ranked),
    Endpoint("POST", "/v1/similar", similar, "Items near an item", "read", Similar, Ranked),
)
