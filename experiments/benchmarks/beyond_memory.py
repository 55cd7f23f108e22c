"""A log twice as large as the memory that the programs may have, from raw lines to a trained model.

Claim: nothing on the way holds the data, neither import nor training. The kernel refuses each
command more than `limit_mb` of memory of its own (RLIMIT_DATA: all that is not a mapped file); raw
lines and store are each at least twice that. The record goes to `results/beyond_memory.json`. Some
minutes on two cores, and 6 GB of disk.

    python -m experiments.benchmarks.beyond_memory
"""

import dataclasses
import os
import resource
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import tyro

from experiments.benchmarks.criteo_lines import write_lines
from experiments.results import Record, device, save
from recsys.data.datasets.criteo import CODES, COUNTS, NAMES
from recsys.data.store import MANIFEST
from recsys.features import Feature, Schema
from recsys.features.schema_file import write
from recsys.features.transforms import Log1p
from recsys.training.reopen import reopen

STACK_BYTES = 2**20  # of a thread, which count as memory although few bytes of them are touched
TRAIN = (
    "--epochs 1 --batch 4096 --order blocks --table hash --budget 1MB --dim 4 --model-options "
    "hidden=16 --log-every 100 --no-verify"
)


@dataclasses.dataclass(frozen=True)
class BeyondMemory:
    """Imports and trains with less memory than data."""

    folder: Path = Path(".cache/beyond_memory")  # emptied at the end
    limit_mb: int = 1200  # memory of each command
    lines: int = 10_000_000  # of the log: 250 bytes each
    save: bool = True  # write the record to experiments/results


def main(settings: BeyondMemory) -> list[Record]:
    """Generates, imports, trains."""
    folder = settings.folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        return [measured(settings, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measured(settings: BeyondMemory, folder: Path) -> Record:
    """What the commands took."""
    log, store, run = folder / "log.tsv", folder / "log.store", folder / "run"
    log.parent.mkdir(parents=True)
    _with_names(write_lines(folder / "lines", settings.lines), log)
    features = (
        *(Feature(name, kind="numeric", transform=Log1p()) for name in COUNTS),
        *(Feature(name) for name in CODES),
    )
    write(Schema(features), folder / "log.schema.toml")
    limit = settings.limit_mb * 10**6
    seconds = {
        "import": limited(limit, f"data import {log} --vocabulary none"),
        "train": limited(limit, f"train {store} --out {run} {TRAIN}"),
    }
    stored = sum(path.stat().st_size for path in store.rglob("examples*"))
    metrics = {
        "limit_mb": settings.limit_mb,
        "raw_over_limit": round(log.stat().st_size / limit, 2),
        "store_over_limit": round(stored / limit, 2),
        "import_s": round(seconds["import"], 1),
        "train_s": round(seconds["train"], 1),
        "steps": reopen(run).step,
    }
    assert (store / MANIFEST).is_file()
    print(metrics)
    command = " ".join(["python -m experiments.benchmarks.beyond_memory", *sys.argv[1:]])
    return Record("beyond_memory", metrics=metrics, device=device(), command=command)


def _with_names(lines: Path, log: Path) -> None:
    """The same lines below one that names the columns."""
    with log.open("wb") as file:
        file.write("\t".join(NAMES).encode() + b"\n")
        with lines.open("rb") as rest:
            shutil.copyfileobj(rest, file, 2**22)
    lines.unlink()


def limited(limit_bytes: int, command: str) -> float:
    """The seconds of a command of `recsys` that gets no more memory than this."""
    environment = os.environ | {
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # others put a gigabyte by
        "MALLOC_ARENA_MAX": "2",
    }
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "recsys", *command.split()],
        check=True,
        env=environment,
        preexec_fn=partial(_limit, limit_bytes),
    )
    return time.perf_counter() - start


def _limit(limit_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, STACK_BYTES))
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


if __name__ == "__main__":
    choice = tyro.cli(BeyondMemory)
    found = main(choice)
    if choice.save:
        save("beyond_memory", found)
