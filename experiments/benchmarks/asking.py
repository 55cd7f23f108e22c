"""A server in a process of its own, and clients that ask it over connections that are kept."""

import asyncio
import contextlib
import dataclasses
import itertools
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import uvloop

HOPELESS_S = 300.0  # without an answer
PATIENT = ("--deadline-ms", "60000")  # a busy machine is told by the times, not by refusals


@dataclasses.dataclass(frozen=True)
class Started:
    """A server that is ready."""

    process: int  # its id
    port: int
    ready_s: float  # how long it took


@dataclasses.dataclass(frozen=True)
class Round:
    """What a client saw."""

    seconds: float  # of the round
    times: list[float]  # seconds of each request

    def at(self, percent: float) -> float:
        """Milliseconds within which so many of the requests were answered."""
        return float(np.percentile(self.times, percent)) * 1e3


@contextlib.contextmanager
def running(command: Sequence[str], port: int) -> Iterator[Started]:
    """A server: `python -m COMMAND --port PORT`, with a process of its own on this machine.

    Raises:
        RuntimeError: it ended, or was not ready in good time.
    """
    start = time.perf_counter()
    whole = [sys.executable, "-m", *command, "--port", str(port)]
    with subprocess.Popen(whole, stderr=subprocess.DEVNULL) as process:
        try:
            while not _is_ready(port):
                took = time.perf_counter() - start
                if process.poll() is not None or took > HOPELESS_S:
                    raise RuntimeError(
                        f"A server was to listen on port {port}, and after {took:.0f} s none is "
                        f"ready: see what `{' '.join(whole)}` says."
                    )
                time.sleep(0.05)
            yield Started(process.pid, port, time.perf_counter() - start)
        finally:
            process.terminate()


def ask(port: int, bodies: Sequence[bytes], *, connections: int, requests: int) -> Round:
    """Asks so many requests over so many connections."""
    left = itertools.count()
    return _asked(port, bodies, connections, lambda: next(left) < requests)


def ask_for(port: int, bodies: Sequence[bytes], *, connections: int, seconds: float) -> Round:
    """Asks for so long."""
    end = time.perf_counter() + seconds
    return _asked(port, bodies, connections, lambda: time.perf_counter() < end)


def _asked(
    port: int, bodies: Sequence[bytes], connections: int, goes_on: Callable[[], bool]
) -> Round:
    heads = itertools.cycle(
        b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
        for body in bodies
    )
    times: list[float] = []

    async def asked() -> None:
        loop = asyncio.get_running_loop()
        made = [_Connection(heads, goes_on, times) for _ in range(connections)]
        for each in made:
            await loop.create_connection(lambda each=each: each, "127.0.0.1", port)
        await asyncio.gather(*(each.done for each in made))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        start = time.perf_counter()
        runner.run(asked())
        return Round(time.perf_counter() - start, times)


class _Connection(asyncio.Protocol):
    """Asks its next request when its last one is answered; a client that costs little."""

    def __init__(
        self, requests: Iterator[bytes], goes_on: Callable[[], bool], times: list[float]
    ) -> None:
        self._requests, self._goes_on, self._times = requests, goes_on, times
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("The server closed a connection."))

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._size:
            head, found, _ = bytes(self._got).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200"):
                self.done.set_exception(RuntimeError(f"The server refused a request: {head!r}."))
                self._transport.close()
                return
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._size = len(head) + len(found) + int(length)
        if len(self._got) >= self._size:
            self._times.append(time.perf_counter() - self._start)
            self._ask()

    def _ask(self) -> None:
        if not self._goes_on():
            self.done.set_result(None)
            self._transport.close()
            return
        self._got, self._size = bytearray(), 0
        self._start = time.perf_counter()
        self._transport.write(next(self._requests))


def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready").close()
        return True
    return False
