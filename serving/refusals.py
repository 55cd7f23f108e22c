"""One format for whatever goes wrong: a status, a code to program with, and one sentence.

THE REGISTRY of codes: one line a code; the OpenAPI document and docs/api.md list them.
"""

import msgspec

STATUSES = {
    "malformed": 400,  # it is no JSON, or no HTTP
    "unauthorized": 401,  # no key, or none that opens anything
    "forbidden": 403,  # a key of another scope
    "unknown": 404,  # no such route, item, release or model
    "wrong_method": 405,
    "conflict": 409,  # meant for another release or space
    "refused": 409,  # a release that cannot be trusted
    "too_large": 413,
    "invalid": 422,  # well formed, and says something that cannot be
    "busy": 429,  # too many requests wait
    "internal": 500,
    "unavailable": 503,  # not ready, or too late
}


class RefusalError(Exception):
    """A request that is not answered, and why."""

    def __init__(self, code: str, message: str, *, retry_after_s: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message = STATUSES[code], code, message
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        """What a client should know before it reads the body."""
        found = {}
        if self.retry_after_s is not None:
            found["retry-after"] = str(self.retry_after_s)
        if self.status == 401:
            found["www-authenticate"] = "Bearer"
        return found


class Problem(msgspec.Struct):
    """What went wrong."""

    code: str
    message: str
    request_id: str


class Failure(msgspec.Struct):
    """The body of every answer that is not a success."""

    error: Problem


def malformed(message: str) -> RefusalError:
    """The request is not what the interface takes."""
    return RefusalError("malformed", message)


def invalid(message: str) -> RefusalError:
    """The request is well formed, and says something that cannot be."""
    return RefusalError("invalid", message)


def conflict(message: str) -> RefusalError:
    """The request is meant for another release."""
    return RefusalError("conflict", message)


def unknown(message: str) -> RefusalError:
    """The request names something that is not there."""
    return RefusalError("unknown", message)


def busy(message: str) -> RefusalError:
    """There are too many requests."""
    return RefusalError("busy", message, retry_after_s=1)


def unavailable(message: str) -> RefusalError:
    """The server cannot answer now."""
    return RefusalError("unavailable", message, retry_after_s=1)
