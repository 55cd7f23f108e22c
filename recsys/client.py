"""A client of the server, of the standard library alone.

    client = Client("http://127.0.0.1:8000")
    for item in client.recommend("196", k=5, filter={"genres": ["Comedy"]}).items:
        print(item.score, item.id, item.columns["title"])

Threads may share it: each has a connection of its own.
"""

import contextlib
import dataclasses
import http.client
import json
import threading
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]  # features by name
Filter = Mapping[str, Any]  # column -> values that are wanted, or {"min": ..., "max": ...}
DROPPED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class RequestError(Exception):
    """The server did not answer what was asked, and says why in one sentence."""

    def __init__(self, status: int, error: Mapping[str, Any], retry_after_s: float | None) -> None:
        """What the answer said."""
        super().__init__(str(error.get("message", f"The server answered {status}.")))
        self.status = status
        self.code: str = error.get("code", "")
        self.request_id: str = error.get("request_id", "")
        self.retry_after_s = retry_after_s  # where it is worth asking again


@dataclasses.dataclass(frozen=True)
class Item:
    """An item of an answer."""

    id: str
    score: float
    columns: Mapping[str, Any]  # what is shown of it, as its title


@dataclasses.dataclass(frozen=True)
class Ranked:
    """Items, best first, and what the answer follows from."""

    items: tuple[Item, ...]
    is_known: bool  # False: nothing is known of the user, who is shown what is popular
    imputed: tuple[str, ...]  # features that nobody told
    unknown: tuple[str, ...]  # features with a value that training had not seen
    release: str
    space_id: str
    request_id: str


@dataclasses.dataclass(frozen=True)
class Reason:
    """What one feature, skill or item of the history adds to a score."""

    name: str
    share: float
    title: str | None = None


@dataclasses.dataclass(frozen=True)
class Reasons:
    """A score, and what adds to it, most first."""

    score: float
    by: str
    reasons: tuple[Reason, ...]


class Client:
    """Asks one server."""

    def __init__(self, url: str, *, key: str | None = None, timeout_s: float = 10.0) -> None:
        """Asks nothing yet.

        Args:
            url: of the server, as http://127.0.0.1:8000.
            key: that the server knows, where it wants one.
            timeout_s: after which a request is given up.
        """
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"A server has a URL like http://127.0.0.1:8000, got {url!r}.")
        self.url, self.timeout_s = url, timeout_s
        self._parts, self._threads = parts, threading.local()
        self._headers = {"content-type": "application/json"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"

    def recommend(
        self,
        user: str | int | None = None,
        *,
        history: Sequence[str | int] | None = None,
        features: Row | None = None,
        k: int = 10,
        filter: Filter | None = None,
        exclude: Sequence[str | int] = (),
        exclude_seen: bool = True,
    ) -> Ranked:
        """Items for a user that is known, or of whom a history or features are told."""
        asked = {
            "user": user,
            "history": None if history is None else list(history),
            "features": dict(features or {}),
            "k": k,
            "filter": dict(filter or {}),
            "exclude": list(exclude),
            "exclude_seen": exclude_seen,
        }
        return _ranked(self._post("recommend", asked))

    def similar(
        self,
        item: str | int,
        *,
        k: int = 10,
        filter: Filter | None = None,
        exclude: Sequence[str | int] = (),
    ) -> Ranked:
        """Items near an item."""
        asked = {"item": item, "k": k, "filter": dict(filter or {}), "exclude": list(exclude)}
        return _ranked(self._post("similar", asked))

    def predict(self, rows: Sequence[Row]) -> list[float]:
        """The probability of each row."""
        return self._post("predict", {"rows": list(map(dict, rows))})["probabilities"]

    def embed_users(self, rows: Sequence[Row]) -> list[list[float]]:
        """The vector of each row's user."""
        return self._post("embed", {"users": list(map(dict, rows))}).get("users", [])

    def embed_items(self, rows: Sequence[Row]) -> list[list[float]]:
        """The vector of each row's item."""
        return self._post("embed", {"items": list(map(dict, rows))}).get("items", [])

    def explain(
        self,
        item: str | int | None = None,
        user: str | int | None = None,
        *,
        history: Sequence[str | int] | None = None,
        features: Row | None = None,
        most: int = 10,
    ) -> Reasons:
        """Why an item, or a probability, is what a user or a row gets."""
        asked = {
            "item": item,
            "user": user,
            "history": None if history is None else list(history),
            "features": dict(features or {}),
            "most": most,
        }
        found = self._post("explain", asked)
        reasons = (Reason(r["name"], r["share"], r.get("title")) for r in found["reasons"])
        return Reasons(found["score"], found["by"], tuple(reasons))

    def upsert(self, items: Sequence[Row], *, space_id: str | None = None) -> int:
        """Adds or replaces items: `id`, and `features` or `vector`, and `columns` to show.

        When this returns they are on the server's disk.

        Args:
            items: What they are.
            space_id: Of the vectors, where there are any.
        """
        asked = {"upsert": list(map(dict, items)), "space_id": space_id}
        return self._post("items", asked)["upserted"]

    def delete(self, items: Sequence[str | int]) -> int:
        """Takes items out; when this returns, that is on the server's disk."""
        return self._post("items", {"delete": list(items)})["deleted"]

    def releases(self) -> list[dict[str, Any]]:
        """Every release that the server has, and which is active."""
        return self._ask("GET", "/v1/releases", None)["releases"]

    def activate(self, release: str) -> None:
        """Has another release served from now on."""
        self._post("releases/activate", {"release": release})

    def canary(self, release: str, share: float) -> None:
        """Has another release answer a share of the requests; a share of 0 ends it."""
        self._post("releases/canary", {"release": release, "share": share})

    def rollback(self) -> None:
        """Has the release served again that was served before."""
        self._post("releases/rollback", {})

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            self._threads.connection = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        told = {name: value for name, value in asked.items() if value is not None}
        return self._ask("POST", f"/v1/{path}", json.dumps(told).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        """The answer; a connection that the server has closed meanwhile is opened anew.

        Raises:
            RequestError: the server refuses.
            ConnectionError: nobody answers there.
        """
        try:
            with contextlib.suppress(*DROPPED):
                return self._ask_once(method, path, body)
            self.close()
            return self._ask_once(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ConnectionError(
                f"{self.url} does not answer ({error}): start `recsys serve` there, or give "
                "another URL."
            ) from error

    def _ask_once(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        connection = self._connection()
        connection.request(method, self._parts.path.rstrip("/") + path, body, self._headers)
        response = connection.getresponse()
        content = response.read()
        try:
            found = json.loads(content)
        except ValueError:
            found = {}
        if response.status >= 400 or not isinstance(found, dict):
            wait = response.headers.get("retry-after", "")
            error = found.get("error", {}) if isinstance(found, dict) else {}
            raise RequestError(response.status, error, float(wait) if wait.isdigit() else None)
        return found

    def _connection(self) -> http.client.HTTPConnection:
        found = getattr(self._threads, "connection", None)
        if found is None:
            is_safe = self._parts.scheme == "https"
            kind = http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
            assert self._parts.hostname is not None
            found = kind(self._parts.hostname, self._parts.port, timeout=self.timeout_s)
            self._threads.connection = found
        return found


def _ranked(found: Mapping[str, Any]) -> Ranked:
    return Ranked(
        items=tuple(_item(item) for item in found["items"]),
        is_known=found.get("is_known", True),
        imputed=tuple(found.get("imputed", ())),
        unknown=tuple(found.get("unknown", ())),
        release=found.get("release", ""),
        space_id=found.get("space_id", ""),
        request_id=found.get("request_id", ""),
    )


def _item(found: Mapping[str, Any]) -> Item:
    shown = {name: value for name, value in found.items() if name not in ("id", "score")}
    return Item(found["id"], found["score"], shown)
