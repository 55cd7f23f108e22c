"""Items that are added, replaced and taken out while the server runs."""

import asyncio
from typing import Any

from serving.loaded import Loaded
from serving.messages import Changed, Items
from serving.refusals import conflict, invalid
from serving.server import Call, Endpoint, Server


async def change(server: Server, call: Call) -> Any:
    """Changes items of the active release; they are on disk before this answers."""
    asked: Items = call.message
    count, most = len(asked.upsert) + len(asked.delete), server.settings.most_rows
    if count > most:
        raise invalid(f"A request changes at most {most} items, got {count}: ask in smaller parts.")
    loaded = server.releases.active
    if loaded is None:
        loaded = server.releases.take()
        server.releases.give(loaded)
    if asked.space_id not in (None, loaded.space_id):
        raise conflict(
            f"Release {loaded.id} has space {loaded.space_id}, got items of {asked.space_id}: "
            "embed them again."
        )
    if any(item.vector is not None for item in asked.upsert) and asked.space_id is None:
        raise invalid("Vectors want the space_id that they are of, got none: tell it.")
    upserted, deleted = await asyncio.to_thread(_changed, loaded, asked)
    server.metrics.items.set(len(loaded.index))
    return Changed(
        release=loaded.id,
        space_id=loaded.space_id,
        request_id=call.request_id,
        upserted=upserted,
        deleted=deleted,
    )


def _changed(loaded: Loaded, asked: Items) -> tuple[int, int]:
    _ = loaded.catalogue
    return loaded.upsert(asked.upsert), loaded.delete(asked.delete)


ENDPOINTS = (
    Endpoint("POST", "/v1/items", change, "Add, replace or delete items", "write", Items, Changed),
)
