"""What the towers say themselves: probabilities and vectors."""

from typing import Any

from serving.messages import Embed, Predict, Probabilities, Vectors
from serving.refusals import invalid
from serving.server import Call, Endpoint, Server


async def predict(server: Server, call: Call) -> Any:
    """Probabilities of rows."""
    asked: Predict = call.message
    check(server, len(asked.rows))
    return await server.ask("predict", call)


async def embed(server: Server, call: Call) -> Any:
    """Vectors of users and items."""
    asked: Embed = call.message
    check(server, len(asked.users) + len(asked.items))
    return await server.ask("embed", call)


def check(server: Server, rows: int) -> None:
    """Refuses more rows than the server takes."""
    most = server.settings.most_rows
    if rows > most:
        raise invalid(f"A request has at most {most} rows, got {rows}: ask in smaller parts.")


ENDPOINTS = (
    Endpoint("POST", "/v1/predict", predict, "Probabilities", "read", Predict, Probabilities),
    Endpoint("POST", "/v1/embed", embed, "Vectors of users or items", "read", Embed, Vectors),
)
