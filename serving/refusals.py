"""One format for whatever goes wrong: a status, a code to program with, and one sentence."""

import msgspec


class RefusalError(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
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
    return RefusalError(400, "malformed", message)


def invalid(message: str) -> RefusalError:
    """The request is well formed, and says something that cannot be."""
    return RefusalError(422, "invalid", message)


def conflict(message: str) -> RefusalError:
    """The request is meant for another release."""
    return RefusalError(409, "conflict", message)


def unknown(message: str) -> RefusalError:
    """The request names something that is not there."""
    return RefusalError(404, "unknown", message)


def busy(message: str) -> RefusalError:
    """There are too many requests."""
    return RefusalError(429, "busy", message, retry_after_s=1)


def unavailable(message: str) -> RefusalError:
    """The server cannot answer now."""
    return RefusalError(503, "unavailable", message, retry_after_s=1)
