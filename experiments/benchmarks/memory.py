"""The server's memory under load: whether it still grows once the server is warm.

Wanted: while clients ask a server of 100,000 items for ten minutes, over connections that are kept
and of which a part asks for unknown users, with histories and with filters, what it holds in memory
grows by less than 1% from the second fifth of the time to the last. The record goes to
`results/memory.json`. About eleven minutes.

    python -m experiments.benchmarks.memory
"""

import dataclasses
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro

from experiments.benchmarks.asking import PATIENT, Round, ask_for, running
from experiments.benchmarks.large_release import USERS, Large
from experiments.benchmarks.server import requests_of
from experiments.results import Record, device, save

PORT = 8463
FIFTHS = 5


@dataclasses.dataclass(frozen=True)
class Held:
    """What a server held in memory while it was asked."""

    megabytes: list[float]  # resident, from sample to sample
    load: Round

    @property
    def fifths(self) -> list[float]:
        """The median of each fifth of the time."""
        return [float(np.median(part)) for part in np.array_split(self.megabytes, FIFTHS)]

    @property
    def growth(self) -> float:
        """From the second fifth, when the server is warm, to the last: a share."""
        return self.fifths[-1] / self.fifths[1] - 1


@dataclasses.dataclass(frozen=True)
class Memory:
    """Loads a server and watches its memory."""

    folder: Path = Path(".cache/server")  # of the release
    items: int = 100_000
    k: int = 100
    connections: int = 16  # that ask at once
    seconds: float = 600.0
    save: bool = True  # write the record to experiments/results


def main(choice: Memory) -> Record:
    """One server, loaded for so long."""
    release = Large(choice.items).write(choice.folder / f"items-{choice.items}" / "release")
    bodies = [*requests_of(choice.items, choice.k), *_others(choice)]
    held = watched(
        release, bodies, connections=choice.connections, seconds=choice.seconds, port=PORT
    )
    record = Record(
        experiment="memory",
        metrics={
            "items": choice.items,
            "seconds": round(held.load.seconds),
            "growth": round(held.growth, 5),
            **{f"megabytes_{n}": round(each, 1) for n, each in enumerate(held.fifths, 1)},
        },
        requests_per_s=round(len(held.load.times) / held.load.seconds),
        device=device(),
        command=" ".join(["python -m experiments.benchmarks.memory", *sys.argv[1:]]),
    )
    print(record.requests_per_s, record.metrics)
    return record


def watched(
    release: Path, bodies: Sequence[bytes], *, connections: int, seconds: float, port: int
) -> Held:
    """What a server of a release holds while it is asked; a hundred samples."""
    command = ["serving", "--releases", str(release), *PATIENT]
    megabytes: list[float] = []
    ends = threading.Event()
    with running(command, port) as server:

        def watch() -> None:
            while not ends.wait(seconds / 100):
                megabytes.append(resident_mb(server.process))

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            load = ask_for(port, bodies, connections=connections, seconds=seconds)
        finally:
            ends.set()
            watching.join()
    return Held(megabytes, load)


def resident_mb(process: int) -> float:
    """What a process holds in memory, as Linux tells it."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"Process {process} has ended: see what the server said.")


def _others(choice: Memory) -> list[bytes]:
    """Requests of users that nobody knows, with histories, and with filters."""
    rng = np.random.default_rng(1)
    asked = [
        *({"user": f"nobody {number}", "k": choice.k} for number in range(USERS)),
        *(
            {"history": [str(item) for item in rng.integers(0, choice.items, 20)], "k": choice.k}
            for _ in range(50)
        ),
        *({"user": str(n), "filter": {"kind": [n, n + 1]}, "k": choice.k} for n in range(200)),
    ]
    return [json.dumps(body).encode() for body in asked]


if __name__ == "__main__":
    choice = tyro.cli(Memory)
    measured = main(choice)
    if choice.save:
        save("memory", [measured])
