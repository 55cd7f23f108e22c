"""The client: what it sends, what it makes of answers, and of servers that refuse or are gone."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from recsys.cli import main
from recsys.client import Client, Item, Reason, RequestError

ITEMS = [{"id": "50", "title": "Star Wars", "year": 1977, "score": 0.75}]
ANSWERS: dict[str, Any] = {
    "/v1/recommend": {"items": ITEMS, "release": "abc", "unknown": ["user"], "is_known": False},
    "/v1/similar": {"items": ITEMS},
    "/v1/predict": {"probabilities": [0.25, 0.5]},
    "/v1/embed": {"users": [[1.0, 2.0]]},
    "/v1/explain": {"score": 1.5, "by": "history", "reasons": [{"name": "1", "share": 0.5}]},
    "/v1/items": {"upserted": 1, "deleted": 2},
    "/v1/releases": {"releases": [{"id": "abc", "state": "active"}]},
    "/v1/releases/activate": {"releases": []},
    "/v1/releases/canary": {"releases": []},
    "/v1/releases/rollback": {"releases": []},
}
BUSY = {"error": {"code": "busy", "message": "Too much waits.", "request_id": "r1"}}


class Handler(BaseHTTPRequestHandler):
    """A server that remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, Any, str | None]] = []  # noqa: RUF012 - one server a test

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        self.asked.append((self.path, body, self.headers.get("authorization")))
        is_busy = isinstance(body, dict) and body.get("user") == "busy"
        if isinstance(body, dict) and body.get("user") == "drop" and len(self.asked) == 2:
            self.close_connection = True  # without an answer: as a server that restarts does
            return
        content = json.dumps(BUSY if is_busy else ANSWERS[self.path]).encode()
        self.send_response(429 if is_busy else 200)
        if is_busy:
            self.send_header("retry-after", "2")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Handler.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_recommendations_are_typed(url):
    with Client(url, key="secret") as client:
        found = client.recommend("7", k=3, filter={"genres": ["War"]}, exclude=["1"])
    assert found.items == (Item("50", 0.75, {"title": "Star Wars", "year": 1977}),)
    assert (found.release, found.unknown, found.is_known) == ("abc", ("user",), False)
    path, body, key = Handler.asked[0]
    assert (path, key) == ("/v1/recommend", "Bearer secret")
    assert body == {
        "user": "7",
        "features": {},
        "k": 3,
        "filter": {"genres": ["War"]},
        "exclude": ["1"],
        "exclude_seen": True,
    }


def test_every_question_has_its_answer(url):
    with Client(url) as client:
        assert client.similar("50").items[0].id == "50"
        assert client.predict([{"a": 1}, {}]) == [0.25, 0.5]
        assert client.embed_users([{"user": 1}]) == [[1.0, 2.0]]
        assert client.embed_items([{"item": 1}]) == []
        assert client.explain("50", "7").reasons == (Reason("1", 0.5),)
        assert client.upsert([{"id": "new", "vector": [1, 2]}], space_id="def") == 1
        assert client.delete(["a", "b"]) == 2
        assert client.releases()[0]["state"] == "active"
        client.activate("abc")
        client.canary("def", 0.1)
        client.rollback()
    assert [body for path, body, _ in Handler.asked if path == "/v1/items"] == [
        {"upsert": [{"id": "new", "vector": [1, 2]}], "space_id": "def"},
        {"delete": ["a", "b"]},
    ]


def test_a_refusal_says_why_and_when_to_come_back(url):
    with Client(url) as client, pytest.raises(RequestError, match=r"Too much waits\.") as told:
        client.recommend("busy")
    error = told.value
    assert (error.status, error.code, error.request_id) == (429, "busy", "r1")
    assert error.retry_after_s == 2


def test_a_connection_that_was_closed_is_opened_again(url):
    with Client(url) as client:
        client.similar("1")
        assert client.recommend("drop").items[0].id == "50"
    assert len(Handler.asked) == 3


def test_nobody_at_the_url_is_told(url):
    gone = Client("http://127.0.0.1:9", timeout_s=1.0)
    with pytest.raises(ConnectionError, match=r"does not answer .*: start `recsys serve`"):
        gone.recommend("1")


@pytest.mark.parametrize("wrong", ["127.0.0.1:8000", "ftp://there", "http://"])
def test_what_is_no_url_is_refused(wrong):
    with pytest.raises(ValueError, match="A server has a URL like"):
        Client(wrong)


def test_the_command_line_asks_a_server(url, capsys):
    assert main(["recommend", "--url", url, "--user", "7", "-k", "3"]) == 0
    printed = capsys.readouterr().out
    assert "Star Wars" in printed
    assert "Nothing is known of this user" in printed
    assert main(["recommend", "--url", url, "--user", "busy"]) == 2
    assert "Too much waits." in capsys.readouterr().err
    assert main(["recommend"]) == 2
    assert "give one of them" in capsys.readouterr().err
