"""Servers over small releases, as tests talk to them."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from serving.app import make_app
from serving.server import Server
from serving.settings import Settings
from tests.releases import WRITTEN

SMALL = 1  # requests together: one size to compile


class Client(TestClient):
    """A client that knows its server."""

    def __init__(self, server: Server):
        super().__init__(make_app(server), raise_server_exceptions=False)
        self.server = server


@contextlib.contextmanager
def running(folder: Path, *which: str, **choices: Any) -> Iterator[Client]:
    """A server over copies of releases; the first named is the one that is served."""
    releases = folder / "releases"
    for name in which:
        if not (releases / name).exists():
            shutil.copytree(WRITTEN[name](), releases / name)
    settings = Settings(releases, **{"most_together": SMALL, "deadline_ms": 30_000, **choices})
    server = Server(settings)
    with Client(server) as client:
        yield client


def post(client: TestClient, path: str, body: Any, **headers: str) -> Any:
    """What the server answers to a body, which must be a success."""
    response = client.post(path, json=body, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


def refused(client: TestClient, path: str, body: Any, status: int) -> str:
    """The sentence with which a server refuses a body."""
    response = client.post(path, json=body)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["request_id"] == response.headers["x-request-id"]
    return error["message"]
