"""A train step beside PyTorch and FBGEMM: same network, same batch, same ids, in one run.

Claim: the whole step takes less time than with FBGEMM's fused CPU table, the embedding part stays
near FBGEMM's, and neither grows with the vocabulary. "bare JAX" is the step written by hand: the
distance to it is what the library costs. Records go to `results/step.json` and
`results/step_heights.json`. A few minutes on two cores; `--heights` needs 15 GB of memory.

    python -m experiments.benchmarks.step
    python -m experiments.benchmarks.step --heights

All contenders run in one process with the same allocator settings, in turns of eight steps in a
row; their ratios are medians over rounds. Every system gets its ids as it likes them before the
clock starts.
"""

import dataclasses
import gc
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import tyro

from experiments.benchmarks.batches import Batch, Draw, draw
from experiments.benchmarks.timing import Summary, interleave, ratio, require_quiet, summarise
from experiments.results import Record, device, save
from recsys.parallel.memory import keep_freed_memory

Name = Literal["ours", "bare_jax", "fbgemm", "torch"]
CONTENDERS: dict[Name, tuple[str, str]] = {
    "ours": ("experiments.benchmarks.ours", "Ours"),
    "bare_jax": ("experiments.benchmarks.bare_jax", "BareJAX"),
    "fbgemm": ("experiments.benchmarks.torch_peers", "FBGEMM"),
    "torch": ("experiments.benchmarks.torch_peers", "TorchEmbedding"),
}
HEIGHTS = (1_000_000, 100_000_000, 16)  # rows, rows and width of `--heights`
Part = Literal["step", "embedding"]
PARTS: tuple[Part, ...] = ("step", "embedding")


class Contender(Protocol):
    """One system with its table, network and batches, ready to step.

    It is built by keyword: rows, dim, features, batches (a list of int64 ids [batch, features],
    below rows, and float32 labels [batch]) and hidden (the widths between input and logit).
    """

    name: str  # how tables call it
    recipe: str  # the optimizer of its table

    def step(self, i: int) -> Any:
        """Trains on batch i, modulo the number of batches; returns what to wait for, if any."""
        ...

    def embedding(self, i: int) -> Any:
        """Looks batch i up and applies a fixed upstream gradient, without the network."""
        ...


@dataclasses.dataclass(frozen=True)
class Step:
    """Times one train step of every contender."""

    rows: int = 4_000_000  # height of the table
    dim: int = 32  # width of the table
    features: int = 26  # lookups of one example
    batch: int = 4096  # examples of one step
    zipf: float = 1.2  # exponent of the ids' popularity, above 1
    rounds: int = 30  # measured turns of each contender
    batches: int = 8  # distinct batches that the turns rotate over
    contenders: tuple[Name, ...] = ("ours", "bare_jax", "fbgemm", "torch")
    heights: bool = False  # instead: 100 million rows x 16 against 1 million
    save: bool = True  # write the records to experiments/results


def build(
    name: Name, settings: Step, *, rows: int, dim: int, draws: tuple[Draw, ...] = ("zipf",)
) -> Contender:
    """A contender whose batches are those of each kind of draw, one kind after the other."""
    module, kind = CONTENDERS[name]
    batches: list[Batch] = []
    for ids in draws:
        batches += draw(
            ids,
            rows=rows,
            batch=settings.batch,
            features=settings.features,
            count=settings.batches,
            exponent=settings.zipf,
        )
    return getattr(importlib.import_module(module), kind)(
        rows=rows, dim=dim, features=settings.features, batches=batches, hidden=(256, 128)
    )


def compare(settings: Step) -> list[Record]:
    """Whole step and embedding part of every contender, interleaved."""
    runners: dict[Name, Contender] = {
        name: build(name, settings, rows=settings.rows, dim=settings.dim)
        for name in settings.contenders
    }
    seconds = {
        part: interleave(
            {str(name): getattr(runner, part) for name, runner in runners.items()},
            rounds=settings.rounds,
        )
        for part in PARTS
    }
    records = []
    for name, runner in runners.items():
        metrics: dict[str, float] = {}
        for part in PARTS:
            metrics |= _flat(f"{part}_ms", summarise(seconds[part][name], scale=1e3))
            for other in settings.contenders:
                speed = ratio(seconds[part][other], seconds[part][name])
                metrics[f"{part}_speed_of_{other}"] = round(speed.median, 3)
        records.append(_record(name, runner, settings, metrics))
        print(f"{runner.name:16} " + "  ".join(f"{key}={v:g}" for key, v in metrics.items()))
    return records


def compare_heights(settings: Step) -> list[Record]:
    """How much longer a step takes on 100 million rows than on 1 million, for each contender.

    One contender at a time, both its heights in turn: two tables of every system at once would
    not fit the memory of a small machine.
    """
    low, high, dim = HEIGHTS
    records = []
    for name in settings.contenders:
        draws: tuple[Draw, ...] = ("zipf", "uniform")
        tables = {
            rows: build(name, settings, rows=rows, dim=dim, draws=draws) for rows in (low, high)
        }
        metrics: dict[str, float] = {}
        for kind, offset in zip(draws, (0, settings.batches), strict=True):
            for part in PARTS:
                seconds = interleave(
                    {
                        str(rows): _rotating(getattr(table, part), offset, settings.batches)
                        for rows, table in tables.items()
                    },
                    rounds=settings.rounds,
                )
                for rows, million in ((low, "1m"), (high, "100m")):
                    summary = summarise(seconds[str(rows)], scale=1e3)
                    metrics[f"{kind}_{part}_{million}_ms"] = round(summary.median, 3)
                growth = ratio(seconds[str(high)], seconds[str(low)])
                metrics |= _flat(f"{kind}_{part}_ratio", growth)
        contender = tables[high]
        sized = dataclasses.replace(settings, rows=high, dim=dim)
        records.append(_record(name, contender, sized, metrics, experiment="step_heights"))
        print(f"{contender.name:16} " + "  ".join(f"{key}={v:g}" for key, v in metrics.items()))
        del tables, contender
        gc.collect()
    return records


def _rotating(run: Callable[[int], Any], offset: int, count: int) -> Callable[[int], Any]:
    return lambda i: run(offset + i % count)


def _flat(name: str, summary: Summary) -> Mapping[str, float]:
    return {
        name: round(summary.median, 3),
        f"{name}_low": round(summary.low, 3),
        f"{name}_high": round(summary.high, 3),
    }


def _record(
    name: Name,
    contender: Contender,
    settings: Step,
    metrics: Mapping[str, float],
    *,
    experiment: str = "step",
) -> Record:
    size = settings.rows * settings.dim * 4
    milliseconds = metrics.get("step_ms")
    return Record(
        experiment=experiment,
        table="full" if name == "ours" else None,
        layout="unified" if name == "ours" else None,
        training=contender.recipe,
        table_bytes=size,
        full_bytes=size,
        metrics=metrics,
        examples_per_s=round(settings.batch / milliseconds * 1e3) if milliseconds else None,
        device=device(),
        peer=None if name == "ours" else contender.name,
        command=" ".join(["python -m experiments.benchmarks.step", *sys.argv[1:]]),
    )


if __name__ == "__main__":
    choice = tyro.cli(Step)
    if choice.save:
        require_quiet()
    keep_freed_memory()  # before the first allocation, and for every contender alike
    measured = (compare_heights if choice.heights else compare)(choice)
    if choice.save:
        save("step_heights" if choice.heights else "step", measured)
