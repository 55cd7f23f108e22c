"""The server beside a straightforward FastAPI server of the same release, in turn.

Claim: with 100,000 items of 64 entries, k = 100, answers with titles and 50 excluded ids, one
process on two cores that the client shares answers at least 2,500 requests a second with 99 in 100
within 20 ms, at least 1.3 times what FastAPI does that calls the same tower and index for each
request; alone, a request takes less than 2 ms, and a start less than 15 s. Records go to
`results/server.json`. About three minutes, most of them the export of the release.

    python -m experiments.benchmarks.server
"""

import asyncio
import contextlib
import dataclasses
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tyro

from experiments.benchmarks.large_release import USERS, Large
from experiments.benchmarks.timing import require_quiet
from experiments.results import Record, device, save

PORTS = {"ours": 8461, "fastapi": 8462}
EXCLUDED, BODIES = 50, 500
HOPELESS_S = 300.0  # without an answer
PATIENT = ("--deadline-ms", "60000")  # a busy machine is told by the times, not by refusals


@dataclasses.dataclass(frozen=True)
class Load:
    """Loads both servers."""

    folder: Path = Path(".cache/server")  # of the release
    items: int = 100_000
    k: int = 100
    connections: int = 32  # that ask at once
    requests: int = 5_000  # of a round
    rounds: int = 5  # of each server
    save: bool = True  # write the records to experiments/results; wants a quiet machine


@dataclasses.dataclass(frozen=True)
class Round:
    """What a client saw."""

    seconds: float  # of the round
    times: list[float]  # seconds of each request

    def at(self, percent: float) -> float:
        """Milliseconds within which so many of the requests were answered."""
        return float(np.percentile(self.times, percent)) * 1e3


def main(load: Load) -> list[Record]:
    """Both servers, round by round."""
    if load.save:
        require_quiet()
    release = Large(load.items).write(load.folder / f"items-{load.items}" / "release")
    commands = {
        "ours": ["serving", "--releases", str(release), "--port", str(PORTS["ours"]), *PATIENT],
        "fastapi": ["experiments.benchmarks.fastapi_peer", str(release), str(PORTS["fastapi"])],
    }
    bodies = _bodies(load)
    busy: dict[str, list[Round]] = {name: [] for name in commands}
    idle: dict[str, list[Round]] = {name: [] for name in commands}
    with contextlib.ExitStack() as stack:
        starts = {n: stack.enter_context(_running(c, PORTS[n])) for n, c in commands.items()}
        for number in range(load.rounds + 1):
            for name, port in PORTS.items():
                alone = asyncio.run(_ask(port, bodies, 1, load.requests // 10))
                many = asyncio.run(_ask(port, bodies, load.connections, load.requests))
                if number:  # the first round warms up
                    idle[name].append(alone)
                    busy[name].append(many)
    return [_record(name, load, starts, busy, idle) for name in commands]


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[float]:
    """A server in a process of its own; how long it took to be ready."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", *command], stderr=subprocess.DEVNULL) as process:
        try:
            while time.perf_counter() - start < HOPELESS_S and process.poll() is None:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready").close()
                    break
                time.sleep(0.05)
            yield time.perf_counter() - start
        finally:
            process.terminate()


def _bodies(load: Load) -> list[bytes]:
    rng = np.random.default_rng(0)
    asked = [
        {
            "user": str(rng.integers(USERS)),
            "k": load.k,
            "exclude": [str(item) for item in rng.integers(0, load.items, EXCLUDED)],
        }
        for _ in range(BODIES)
    ]
    return [json.dumps(body).encode() for body in asked]


async def _ask(port: int, bodies: list[bytes], connections: int, requests: int) -> Round:
    """Asks over connections that are kept, each its next request when the last is answered."""
    times: list[float] = []

    async def connection(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, requests, connections):
            body = bodies[number % len(bodies)]
            start = time.perf_counter()
            head = b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            times.append(time.perf_counter() - start)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"The server on port {port} refused a request: {answer!r}.")
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(connection(number) for number in range(connections)))
    return Round(time.perf_counter() - start, times)


def _record(
    name: str,
    load: Load,
    starts: Mapping[str, float],
    busy: Mapping[str, list[Round]],
    idle: Mapping[str, list[Round]],
) -> Record:
    import fastapi  # pyright: ignore[reportMissingImports]  # an extra

    rates = {each: [load.requests / one.seconds for one in busy[each]] for each in busy}
    faster = np.divide(rates[name], rates["fastapi"])
    record = Record(
        experiment="server",
        metrics={
            "items": load.items,
            "idle_p50_ms": round(float(np.median([one.at(50) for one in idle[name]])), 3),
            "p50_ms": round(float(np.median([one.at(50) for one in busy[name]])), 3),
            "speed_of_fastapi": round(float(np.median(faster)), 3),
            "ready_s": round(starts[name], 2),
        },
        requests_per_s=round(float(np.median(rates[name]))),
        p99_ms=round(float(np.median([one.at(99) for one in busy[name]])), 2),
        device=device(),
        peer=f"FastAPI {fastapi.__version__}" if name == "fastapi" else None,
        command=" ".join(["python -m experiments.benchmarks.server", *sys.argv[1:]]),
    )
    print(name, record.requests_per_s, record.p99_ms, record.metrics)
    return record


if __name__ == "__main__":
    choice = tyro.cli(Load)
    measured = main(choice)
    if choice.save:
        save("server", measured)
