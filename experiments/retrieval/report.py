"""Draws recall against table bytes and against cost, from the records of retrieval.

For each data set two plots: R@20 of every way of storing rows against the bytes of its tables, and
R@20 of towers and baselines against the seconds they train; and a table of the share of the full
R@20 that is kept.

    python -m experiments.retrieval.report
"""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import tyro

from experiments.results import RESULTS, Record, load

BYTES, TOWERS, BASELINES = "retrieval_bytes", "retrieval_towers", "retrieval_baselines"
TABLES = "retrieval_bytes.md"
METRIC = "recall@20"
Points = dict[str, list[tuple[float, float, float]]]  # label -> cost, mean, spread over seeds


@dataclasses.dataclass(frozen=True)
class Report:
    """Writes the plots and the table."""

    folder: Path = RESULTS  # where they go


def name_of(record: Record) -> str:
    """How plots call what a record measured."""
    is_smaller = record.table and record.experiment == BYTES
    parts = (record.table, record.layout) if is_smaller else (record.model,)
    return ", ".join(filter(None, parts))


def points(records: Sequence[Record], cost: Callable[[Record], float], *, data: str) -> Points:
    """Mean and spread of R@20 over seeds, for each label and budget, from cheap to dear."""
    runs: dict[tuple[str, float], list[Record]] = {}
    for record in records:
        if record.data == data and record.split != "validation":
            runs.setdefault((name_of(record), record.budget or 1.0), []).append(record)
    found: Points = {}
    for (name, _), own in runs.items():
        recalls = [(record.metrics or {})[METRIC] for record in own]
        spread = statistics.stdev(recalls) if len(recalls) > 1 else 0.0
        at = statistics.fmean(map(cost, own))
        found.setdefault(name, []).append((at, statistics.fmean(recalls), spread))
    return {name: sorted(own) for name, own in found.items()}


def tabulate(records: Sequence[Record]) -> str:
    """Share of the full R@20 that is kept: a row a contender, a column a budget."""
    lines = ["# Recall against bytes", "", "Share of the R@20 of full rows, mean over seeds;"
             " empty did not fit or was not run. `python -m experiments.retrieval.bytes` measures,"
             " `python -m experiments.retrieval.report` renders.", ""]  # fmt: skip
    for data in dict.fromkeys(record.data or "" for record in records):
        own = [record for record in records if record.data == data]
        full = _mean([record for record in own if record.budget == 1.0])
        budgets = sorted({r.budget or 1.0 for r in own if r.budget != 1.0}, reverse=True)
        told = f" (R@20 {full:.4f})" if full else ""
        lines += [f"## {data}{told}", "", f"| rows | {' | '.join(f'{b:.4g}' for b in budgets)} |"]
        lines += ["| --- |" + " ---: |" * len(budgets)]
        for name in dict.fromkeys(name_of(record) for record in own if record.budget != 1.0):
            cells = []
            for budget in budgets:
                mean = _mean([r for r in own if name_of(r) == name and r.budget == budget])
                cells.append(f"{mean / full:.1%}" if mean and full else "")
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def draw(found: Points, path: Path, *, title: str, cost: str, full: float | None = None) -> None:
    """A line a label, or a point; a dashed line is what full rows reach."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 6), layout="constrained")
    for number, (name, own) in enumerate(sorted(found.items())):
        axes.errorbar(
            [at for at, _, _ in own],
            [mean for _, mean, _ in own],
            yerr=[spread for _, _, spread in own],
            marker="osv^D*P"[number % 7],
            color=f"C{number % 10}",
            markersize=4,
            capsize=2,
            label=name,
        )
    if full is not None:
        axes.axhline(full, linestyle="--", color="grey", linewidth=1)
    axes.set(xscale="log", xlabel=cost, ylabel="test R@20", title=title)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def render(smaller: Sequence[Record], others: Sequence[Record], folder: Path) -> list[Path]:
    """Draws everything there are records of; the files."""
    written = []
    for data in dict.fromkeys(record.data or "" for record in smaller):
        found = points(smaller, lambda record: (record.table_bytes or 0) / 1e6, data=data)
        written.append(folder / f"retrieval-bytes-{data}.png")
        full = _mean([r for r in smaller if r.data == data and r.budget == 1.0])
        title = f"{data}: recall against the bytes of tables"
        draw(found, written[-1], title=title, cost="table bytes (MB)", full=full)
    for data in dict.fromkeys(record.data or "" for record in (*others, *smaller)):
        every = [*others, *smaller]
        found = points(every, lambda record: max(record.train_seconds or 0.0, 0.1), data=data)
        written.append(folder / f"retrieval-cost-{data}.png")
        title = f"{data}: recall against the cost of training"
        draw(found, written[-1], title=title, cost="training time (s)")
    if smaller:
        (folder / TABLES).write_text(tabulate(smaller))
    return written


def _mean(records: Sequence[Record]) -> float | None:
    values = [(record.metrics or {})[METRIC] for record in records]
    return statistics.fmean(values) if values else None


def main(report: Report) -> None:
    """Reads the records and writes the plots."""
    for path in render(load(BYTES), [*load(TOWERS), *load(BASELINES)], report.folder):
        print(path)


if __name__ == "__main__":
    main(tyro.cli(Report))
