"""Raw Criteo lines to examples on disk: how many a second and in how much memory, beside pandas.

Claim: two cores turn more than 100,000 raw lines a second into a store; the peak of memory does not
grow with the log where features are hashed, and by at most 16 bytes for each different value where
they have vocabularies. Records go to `results/ingest.json`. Some minutes, and 4 GB of disk.

    python -m experiments.benchmarks.ingest

The lines are generated in the form and with the heights of the real ones. Every import runs in a
process of its own, whose peak of resident memory the kernel tells; contenders take turns. Other
programs can only slow them down; `load` tells how many ran beside. Pandas
reads the same file in pieces, takes logarithms, hashes the texts and writes the arrays: no checks,
no splits, no digests.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from experiments.benchmarks.criteo_lines import write_lines
from experiments.benchmarks.timing import summarise
from experiments.results import Record, device, save

Contender = Literal["hashed", "vocabularies", "pandas"]
PANDAS_LINES = 100_000  # read at a time


@dataclasses.dataclass(frozen=True)
class Ingest:
    """Times the import of generated lines."""

    folder: Path = Path(".cache/ingest")  # of the lines and the stores; emptied at the end
    lines: int = 1_000_000  # of the short log; the long one has four times as many
    rounds: int = 3  # imports of each log by each contender
    save: bool = True  # write the records to experiments/results


def main(settings: Ingest) -> list[Record]:
    """Every contender on the short and the long log, in turn."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    few, many = settings.lines, 4 * settings.lines
    logs = {lines: write_lines(settings.folder / f"{lines}.txt", lines) for lines in (few, many)}
    contenders: tuple[Contender, ...] = ("hashed", "vocabularies", "pandas")
    found: dict[tuple[Contender, int], list[dict[str, float]]] = {}
    for _ in range(settings.rounds):
        for name in contenders:
            for lines, path in logs.items():
                found.setdefault((name, lines), []).append(_alone(name, path, settings.folder))
    shutil.rmtree(settings.folder)
    records = []
    for name in contenders:
        metrics = _metrics(found[name, few], found[name, many])
        if name == "vocabularies":
            more = metrics["peak_mb_long"] - _middle(found["hashed", many], "peak_mb")
            metrics["bytes_a_value"] = round(more * 1e6 / metrics["values"], 2)
        records.append(_record(name, metrics))
        print(name, records[-1].examples_per_s, metrics)
    return records


def _metrics(short: list[dict[str, float]], long: list[dict[str, float]]) -> dict[str, float]:
    rate = summarise([run["lines"] / run["seconds"] for run in long])
    metrics = {
        "lines_per_s": round(rate.median),
        "lines_per_s_low": round(rate.low),
        "lines_per_s_high": round(rate.high),
        "cpu_s_a_million": round(_middle(long, "cpu_s") / _middle(long, "lines") * 1e6, 2),
        "peak_mb_short": round(_middle(short, "peak_mb"), 1),
        "peak_mb_long": round(_middle(long, "peak_mb"), 1),
        "values": _middle(long, "values"),
        "load": round(_middle(long, "load"), 1),
    }
    growth = metrics["peak_mb_long"] / metrics["peak_mb_short"]
    return metrics | {"peak_long_over_short": round(growth, 3)}


def _middle(runs: list[dict[str, float]], name: str) -> float:
    return float(np.median([run[name] for run in runs]))


def _record(name: Contender, metrics: dict[str, float]) -> Record:
    import pandas

    return Record(
        experiment="ingest_vocabularies" if name == "vocabularies" else "ingest",
        metrics=metrics,
        examples_per_s=metrics["lines_per_s"],
        device=device(),
        peer=f"pandas {pandas.__version__}" if name == "pandas" else None,
        command=" ".join(["python -m experiments.benchmarks.ingest", *sys.argv[1:]]),
    )


def _alone(name: Contender, log: Path, folder: Path) -> dict[str, float]:
    """What one contender took, in a process of its own."""
    out, load = folder / "out", os.getloadavg()[0]
    shutil.rmtree(out, ignore_errors=True)
    code = f"from {__spec__.name} import tell; tell({name!r}, {str(log)!r}, {str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout) | {"load": load}


def tell(name: Contender, log: str, out: str) -> None:
    """Prints what one import took, as JSON."""
    run = prepare(name, Path(log), Path(out))
    start, cpu = time.perf_counter(), time.process_time()
    told = run()
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({**told, "seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """The most memory that this process ever had resident, which the kernel counts in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak) * 1024 / 1e6


def prepare(name: Contender, log: Path, out: Path) -> Callable[[], dict[str, Any]]:
    """An import, all of whose libraries are loaded."""
    if name == "pandas":
        return lambda: _by_pandas(log, out)
    from recsys.data.datasets.criteo import RAW, SCHEMA
    from recsys.data.importing import import_files
    from recsys.data.splits import Random
    from recsys.data.store import Store

    def run() -> dict[str, Any]:
        report = import_files(
            log,
            SCHEMA,
            out,
            format=RAW,
            split=Random(valid=0.0, test=0.0),  # so that training sees every value
            vocabulary=None if name == "vocabularies" else (),
        )
        values = sum(map(len, Store.open(out).vocabularies.values()))
        return {"lines": report.examples["train"], "values": values}

    return run


def _by_pandas(log: Path, out: Path) -> dict[str, Any]:
    import pandas
    import pandas.util

    from recsys.data.datasets.criteo import CODES, COUNTS, NAMES

    kinds: Any = dict.fromkeys(CODES, "str")  # its checker knows fewer dicts than it reads
    hashing: Any = pandas.util  # which loads its names when asked for them
    lines = 0
    with out.open("wb") as file:
        for part in pandas.read_csv(
            log, sep="\t", names=list(NAMES), dtype=kinds, chunksize=PANDAS_LINES
        ):
            numbers = np.log1p(part[list(COUNTS)].fillna(0)).to_numpy(np.float32)
            keys = [hashing.hash_array(part[name].fillna("").to_numpy(object)) for name in CODES]
            for array in (numbers, np.stack(keys, axis=1), part["label"].to_numpy(np.float32)):
                np.ascontiguousarray(array).tofile(file)
            lines += len(part)
    out.unlink()
    return {"lines": lines, "values": 0}


if __name__ == "__main__":
    choice = tyro.cli(Ingest)
    measured = main(choice)
    if choice.save:
        save("ingest", measured)
