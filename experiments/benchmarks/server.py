"""The server beside a straightforward FastAPI server of the same release, in turn.

Claim: with 100,000 items of 64 entries, k = 100, answers with titles and 50 excluded ids, one
process on two cores that the client shares answers at least 2,500 requests a second with 99 in 100
within 20 ms, at least 1.3 times what FastAPI does that calls the same tower and index for each
request; alone, a request takes less than 2 ms, and a start less than 15 s. Records go to
`results/server.json`. About three minutes, most of them the export of the release.

    python -m experiments.benchmarks.server
"""

import contextlib
import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tyro

from experiments.benchmarks.asking import PATIENT, Round, Started, ask, running
from experiments.benchmarks.large_release import USERS, Large
from experiments.benchmarks.timing import require_quiet
from experiments.results import Record, device, save

PORTS = {"ours": 8461, "fastapi": 8462}
EXCLUDED, BODIES = 50, 500


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


def main(load: Load) -> list[Record]:
    """Both servers, round by round."""
    if load.save:
        require_quiet()
    release = Large(load.items).write(load.folder / f"items-{load.items}" / "release")
    bodies = requests_of(load.items, load.k)
    busy: dict[str, list[Round]] = {name: [] for name in PORTS}
    idle: dict[str, list[Round]] = {name: [] for name in PORTS}
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(tempfile.TemporaryDirectory())  # nothing is compiled yet
        commands = {
            "ours": ["serving", "--releases", str(release), "--kept", kept, *PATIENT],
            "fastapi": ["experiments.benchmarks.fastapi_peer", "--releases", str(release)],
        }
        starts = {n: stack.enter_context(running(c, PORTS[n])) for n, c in commands.items()}
        for number in range(load.rounds + 1):
            for name, port in PORTS.items():
                alone = ask(port, bodies, connections=1, requests=load.requests // 10)
                many = ask(port, bodies, connections=load.connections, requests=load.requests)
                if number:  # the first round warms up
                    idle[name].append(alone)
                    busy[name].append(many)
    return [_record(name, load, starts, busy, idle) for name in PORTS]


def requests_of(items: int, k: int) -> list[bytes]:
    """Requests of known users, each of whom leaves items out by name."""
    rng = np.random.default_rng(0)
    asked = [
        {
            "user": str(rng.integers(USERS)),
            "k": k,
            "exclude": [str(item) for item in rng.integers(0, items, EXCLUDED)],
        }
        for _ in range(BODIES)
    ]
    return [json.dumps(body).encode() for body in asked]


def _record(
    name: str,
    load: Load,
    starts: Mapping[str, Started],
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
            "ready_s": round(starts[name].ready_s, 2),
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
