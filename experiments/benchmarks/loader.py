"""Shuffled batches: how many a second, beside Grain, TFDS and pandas, and what a step notices.

Claim: two cores shuffle more than a million examples of 26 keys and 13 numbers a second and bring
them to the device; from files that are not in memory batches come at no less than 0.8 of the speed
at which the files are read from front to back; a train step never waits for them. Records go to
`results/loader.json`. A few minutes on two cores, and 3 GB of disk.

    python -m experiments.benchmarks.loader

All contenders run in one process in turns; ratios are medians over rounds. "Not in memory" is done
by dropping the files from the page cache before each pass; the window is a sixteenth of the data.
Other programs can only slow us down; `load` tells how many ran beside.
"""

import dataclasses
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
import tyro
from flax import nnx

from experiments.benchmarks.loader_peers import (
    KEYS,
    NUMBERS,
    GrainPerRecord,
    Pandas,
    TFDSDataSource,
)
from experiments.benchmarks.ours import Ours
from experiments.benchmarks.timing import interleave, ratio, summarise
from experiments.quickstart import Quickstart
from experiments.quickstart import schema as quickstart_schema
from experiments.results import Record, device, save
from recsys.data import Blocks, InOrder, Loader, Shuffled, stream
from recsys.data.store import Store, StoredExamples
from recsys.data.writing import StoreWriter
from recsys.embedding import Unified
from recsys.features import Batch, Feature, Schema
from recsys.models import DCN
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import Hash
from recsys.training import Learner, Recipe

READ_BYTES = 2**22  # at a time, from front to back
ENDLESS = 2**40  # steps
WINDOW = 4  # blocks that are mixed beyond memory
SCHEMA = Schema(
    (
        *(Feature(f"key{i}") for i in range(KEYS)),
        *(Feature(f"number{i}", kind="numeric") for i in range(NUMBERS)),
    ),
    label="label",
)


@dataclasses.dataclass(frozen=True)
class LoaderSpeed:
    """Times the loader beside its peers, from disk, and within training."""

    folder: Path = Path(".cache/loader")  # of the generated data
    examples: int = 4_000_000  # of the store
    records: int = 100_000  # of them, those that peers read that take them one by one
    batch: int = 4096  # examples of a batch
    rounds: int = 5  # measured turns of each contender
    save: bool = True  # write the records to experiments/results


def main(settings: LoaderSpeed) -> list[Record]:
    """All three parts."""
    keep_freed_memory()
    store = prepared(settings)
    records = []
    for part in (compare, beyond_memory, steps):
        for record in part(settings, store):
            print(record.experiment, record.peer or record.model or "", dict(record.metrics or {}))
            records.append(record)
    return records


def prepared(settings: LoaderSpeed) -> Path:
    """The folder of the store, generated where it is not there yet."""
    path = settings.folder / f"store-{settings.examples}"
    if not path.exists():
        rng = np.random.default_rng(0)
        with StoreWriter(path, SCHEMA) as writer:
            for start in range(0, settings.examples, settings.records):
                count = min(settings.records, settings.examples - start)
                numbers = rng.random((count, NUMBERS + 1), np.float32).view(np.uint32)
                keys = rng.integers(0, 2**32, (count, 2 * KEYS), np.uint32)
                writer.add("train", np.concatenate([keys, numbers], axis=1))
            writer.finish()
    return path


def compare(settings: LoaderSpeed, store: Path) -> list[Record]:
    """Batches in a new order on the device, from memory; ours and the peers in turn."""
    train = Store.open(store).splits["train"]
    rows = train.rows.take(slice(None))
    few = np.array(rows[: settings.records])
    ours = Shuffled(train, size=settings.batch)
    peers = [GrainPerRecord(few), TFDSDataSource(few, settings.folder / "tfds"), Pandas(rows)]
    counts = {"recsys": 400} | {peer.name: peer.turn for peer in peers}  # batches of a turn
    begin: dict[str, Callable[[], Any]] = {
        peer.name: partial(peer.batches, settings.batch) for peer in peers
    }
    begin["recsys"] = partial(stream, ours, stop=ENDLESS, put=jax.device_put)
    runners = {name: _drawing(begin[name], count) for name, count in counts.items()}
    turns = interleave(runners, rounds=settings.rounds, turn=1)
    seconds = {name: [s / counts[name] for s in turn] for name, turn in turns.items()}
    records = []
    for name, own in seconds.items():
        speed = ratio(own, seconds["recsys"])
        metrics = {
            "batch_ms": round(summarise(own, scale=1e3).median, 3),
            "speed_of_recsys": round(speed.median, 2),
        }
        rate = round(settings.batch / summarise(own).median)
        records.append(_record("loader", metrics, peer=name, examples_per_s=rate))
    return records


def _drawing(begin: Callable[[], Any], count: int) -> Callable[[int], Any]:
    """A turn begins and ends its reading, so that nobody reads ahead in the turn of another."""

    def draw(_: int) -> Any:
        with closing(begin()) as batches:
            for batch in islice(map(jax.device_put, batches), count):
                jax.block_until_ready(batch)

    return draw


def beyond_memory(settings: LoaderSpeed, store: Path) -> list[Record]:
    """A pass over files that are on disk only: as bytes, in order, and shuffled in a window."""

    def read(make: Callable[[StoredExamples], Loader]) -> int:
        loader = make(Store.open(store).splits["train"])
        stop = settings.examples // settings.batch
        with closing(stream(loader, stop=stop, put=jax.device_put)) as batches:
            jax.block_until_ready([batch.label for batch in batches][-1])
        return stop * settings.batch

    passes: dict[str, Callable[[], int]] = {
        "bytes": lambda: _read_through(store, settings.examples),
        "in_order": lambda: read(lambda train: InOrder(train, size=settings.batch)),
        "blocks": lambda: read(lambda train: Blocks(train, size=settings.batch, window=WINDOW)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in passes}  # of a million examples
    for _ in range(settings.rounds):
        for name, run in passes.items():
            gc.collect()  # a file that is still mapped stays in memory
            for path in _files(store):
                _drop(path)
            start = time.perf_counter()
            count = run()
            seconds[name].append((time.perf_counter() - start) / count * 1e6)
    metrics = {
        f"{name}_million_per_s": round(1 / summarise(own).median, 2)
        for name, own in seconds.items()
    }
    for name in ("bytes", "in_order"):
        speed = ratio(seconds[name], seconds["blocks"])
        metrics |= {
            f"of_{name}": round(speed.median, 3),
            f"of_{name}_low": round(speed.low, 3),
            f"of_{name}_high": round(speed.high, 3),
        }
    rate = round(1e6 / summarise(seconds["blocks"]).median)
    return [_record("loader_beyond_memory", metrics, examples_per_s=rate)]


def _files(store: Path) -> list[Path]:
    return sorted(store.rglob("examples*"))


def _drop(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _read_through(store: Path, examples: int) -> int:
    room = bytearray(READ_BYTES)
    for path in _files(store):
        with path.open("rb", buffering=0) as file:
            while file.readinto(room):
                pass
    return examples


def steps(settings: LoaderSpeed, store: Path) -> list[Record]:
    """Train steps on batches that lie on the device, and on batches of the loader, in turn."""
    choice = Quickstart()
    lean = quickstart_schema(choice.lookups)
    model = DCN(lean, Unified(Hash(rows=choice.rows), choice.dim))
    rows = RowTraining(LazyAdam(choice.rate), weight_decay=choice.decay, average=choice.average)
    recipe = Recipe(rows=rows, dense=Adam(), dropout=choice.dropout)
    quickstart = Learner(lambda: model.build(rngs=nnx.Rngs(0)), recipe)
    memory = Shuffled(_drawn(80_000, lean), size=choice.batch)  # as many as MovieLens-100K has
    disk = Shuffled(Store.open(store).splits["train"], size=settings.batch)
    ids = [(np.zeros((settings.batch, KEYS), np.int64), np.zeros(settings.batch, np.float32))]
    large = Ours(rows=4_000_000, dim=32, features=KEYS, batches=ids).learner
    return [
        _step_record("quickstart", quickstart, memory, settings),
        _step_record("step benchmark", large, disk, settings),
    ]


def _drawn(count: int, schema: Schema) -> Batch:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2000, (count, schema.places), np.uint32)
    ones = np.ones(count, np.float32)
    label = rng.integers(0, 2, count).astype(np.float32)
    valid, numbers = np.ones(keys.shape, bool), np.zeros((count, 0), np.float32)
    return Batch(np.zeros_like(keys), keys, valid, numbers, label, ones)


def _step_record(name: str, learner: Learner, loader: Shuffled, settings: LoaderSpeed) -> Record:
    placed = [learner.put(loader.batch(step)) for step in range(16)]
    state = learner.start()
    waits: list[float] = []

    def step(batch: Batch) -> Any:
        nonlocal state
        state, report = learner.step(state, batch)
        return report

    def waiting(_: int) -> Any:
        start = time.perf_counter()
        batch = next(batches)
        waits.append(time.perf_counter() - start)
        return jax.block_until_ready(step(batch))

    with closing(stream(loader, stop=ENDLESS, put=learner.put)) as batches:
        seconds = interleave(
            {
                "without": lambda i: step(placed[i % len(placed)]),
                "with": lambda _: step(next(batches)),
                "one by one": waiting,
            },
            rounds=settings.rounds,
            turn=32,
        )
    metrics = {
        f"step_ms_{key}": round(summarise(seconds[key], scale=1e3).median, 3)
        for key in ("without", "with")
    }
    slower = ratio(seconds["with"], seconds["without"])
    metrics |= {
        "with_over_without": round(slower.median, 3),
        "with_over_without_low": round(slower.low, 3),
        "with_over_without_high": round(slower.high, 3),
        "wait_ms": round(summarise(waits, scale=1e3).median, 3),
    }
    rate = round(loader.size / metrics["step_ms_with"] * 1e3)
    return _record("loader_step", metrics, model=name, examples_per_s=rate)


def _record(experiment: str, metrics: Mapping[str, float], **known: Any) -> Record:
    if known.get("peer") == "recsys":
        known["peer"] = None
    command = " ".join(["python -m experiments.benchmarks.loader", *sys.argv[1:]])
    beside = {"load": round(os.getloadavg()[0], 1)}
    return Record(
        experiment, metrics={**metrics, **beside}, device=device(), command=command, **known
    )


if __name__ == "__main__":
    choice = tyro.cli(LoaderSpeed)
    measured = main(choice)
    if choice.save:
        save("loader", measured)
