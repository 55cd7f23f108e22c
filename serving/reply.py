"""What goes back over the wire."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Send

JSON = "application/json"


@dataclasses.dataclass(frozen=True)
class Reply:
    """Bytes of some kind, with a status."""

    body: bytes
    kind: str = JSON
    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)  # beside kind and length

    @classmethod
    def of(cls, answer: Any) -> "Reply":
        """An answer as JSON, if it is no reply already."""
        return answer if isinstance(answer, Reply) else cls(msgspec.json.encode(answer))

    async def send(self, send: Send, request_id: str) -> None:
        """Sends it as the whole response."""
        headers = [
            (b"content-type", self.kind.encode()),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-request-id", request_id.encode()),
            *((name.encode(), value.encode()) for name, value in self.headers.items()),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})
