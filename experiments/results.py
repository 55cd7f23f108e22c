"""Results: the records that experiments and benchmarks leave in `experiments/results/<name>.json`.

One record is one run, or one measured row of a benchmark. All have the same keys, null where a key
does not apply, so that one command renders every table (`experiments.tables`) and any two results
can be compared.
"""

import dataclasses
import fcntl
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
DATA = (
    "ml-100k",
    "ml-1m",
    "ml-1m-crossed",
    "frappe",
    "planted",
    "gowalla",
    "ml-1m-ultragcn",
    "ml-1m-time",
    "amazon-beauty",
    "esco",
    "onet",
)


@dataclasses.dataclass(frozen=True)
class Record:
    """What was run, and what came out of it."""

    experiment: str | None = None  # the claim it belongs to
    data: str | None = None  # one of DATA
    model: str | None = None  # registry name
    table: str | None = None  # registry name
    layout: str | None = None  # registry name
    training: str | None = None  # the recipe
    budget: float | None = None  # the share of full_bytes that was asked for, 0 to 1
    budget_bytes: int | None = None  # the same in bytes
    table_bytes: int | None = None  # the frozen table as saved
    served_bytes: int | None = None  # that and whatever turns a raw value into its row
    full_bytes: int | None = None  # an uncompressed float32 table of the same values
    train_bytes: int | None = None  # parameters and slots that live from step to step
    seed: int | None = None
    split: str | None = None  # what the metrics were measured on: train, validation, test
    metrics: Mapping[str, float] | None = None  # by name: auc, logloss, recall@20, step_ms, ...
    examples_per_s: float | None = None
    requests_per_s: float | None = None
    p99_ms: float | None = None
    train_seconds: float | None = None
    device: str | None = None  # what it ran on, as `device()` says
    peer: str | None = None  # the other system, where the row is not ours
    command: str | None = None  # what to type to get this record again

    def __post_init__(self) -> None:
        if self.data is not None and self.data not in DATA:
            raise ValueError(f"Unknown data {self.data!r}: known are {', '.join(DATA)}.")


FIELDS = tuple(field.name for field in dataclasses.fields(Record))
# What a record is, as opposed to what was measured: a second run of the same replaces the first.
IDENTITY = (
    "experiment",
    "data",
    "model",
    "table",
    "layout",
    "training",
    "budget",
    "budget_bytes",
    "seed",
    "split",
    "device",
    "peer",
)


def identity(record: Record) -> tuple[str | float | None, ...]:
    """What two records share when one is a repetition of the other."""
    return tuple(getattr(record, name) for name in IDENTITY)


def save(name: str, records: Iterable[Record], *, folder: Path = RESULTS) -> Path:
    """Adds the records to a result file, in place of those of the same identity.

    The file is replaced in one move and sorted, so that a killed sweep leaves whole records and a
    repeated one the same bytes. Processes that save to one folder take turns.
    """
    path = folder / f"{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with _turn(folder):
        merged = {identity(record): record for record in load(name, folder=folder)}
        merged.update({identity(record): record for record in records})
        ordered = sorted(merged.values(), key=lambda record: _sortable(identity(record)))
        draft = path.with_suffix(f".{os.getpid()}.draft")
        rows = [dataclasses.asdict(record) for record in ordered]
        draft.write_text(json.dumps(rows, indent=1, sort_keys=True, allow_nan=False) + "\n")
        draft.replace(path)
    return path


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Waits until no other process is in there; ends with the process, however that ends."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def load(name: str, *, folder: Path = RESULTS) -> list[Record]:
    """The records of a result file; none if it does not exist yet.

    Raises:
        ValueError: a record has other keys than ours.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        return []
    rows = json.loads(path.read_text())
    for row in rows:
        if set(row) != set(FIELDS):
            differing = ", ".join(sorted(set(row) ^ set(FIELDS)))
            raise ValueError(
                f"A record of {path} should have exactly the keys of Record, but differs in "
                f"{differing}: run its command again."
            )
    return [Record(**row) for row in rows]


def device() -> str:
    """The machine in words: its processor and how many cores this process may use."""
    names = [
        line.partition(":")[2].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{names[0] if names else platform.machine()}, {cores} cores"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _sortable(values: tuple) -> tuple[tuple[bool, str, float], ...]:
    """An order over mixed values: null first, then numbers by size, then text."""
    return tuple(
        (value is not None, value, 0.0)
        if isinstance(value, str)
        else (value is not None, "", value or 0.0)
        for value in values
    )
