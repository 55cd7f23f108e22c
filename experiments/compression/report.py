"""Draws and tabulates the compression benchmark from `results/compression.json`.

For each data set a Pareto plot of test AUC against table bytes, served bytes, persistent training
bytes, training time and the latency of a lookup (`experiments.benchmarks.lookup`), and a Markdown
table of mean and spread over seeds, budgets side by side.

    python -m experiments.compression.report
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import tyro

from experiments.compression.plots import draw
from experiments.compression.runs import auc, is_capped, of_data
from experiments.results import RESULTS, Record, load

TABLES = RESULTS / "compression.md"


@dataclasses.dataclass(frozen=True)
class Report:
    """Writes the plots and the tables."""

    folder: Path = RESULTS  # where they go


def tabulate(records: Sequence[Record]) -> str:
    """All data sets as Markdown: a row a method, a column a budget, the best of a column bold."""
    hours = sum(record.train_seconds or 0.0 for record in records) / 3600
    parts = ["# Compression benchmark", "", "Test AUC, mean ± standard deviation over seeds; empty"
             " is below the method's floor or not run, `*` was capped in time; bold is the best of"
             " its column over several seeds. `python -m experiments.compression.sweep` measures,"
             " `python -m experiments.compression.report` renders.", "", f"{len(records)} runs,"
             f" {hours:.1f} hours of training on one core, two at a time.", ""]  # fmt: skip
    for data in dict.fromkeys(record.data or "" for record in records):
        rows = of_data(records, data)
        budgets = sorted({budget for own in rows.values() for budget in own}, reverse=True)
        best = {budget: _best(own[budget] for own in rows.values() if budget in own)
                for budget in budgets}  # fmt: skip
        heads = ["method", "layout", *(f"{budget:.4g}" for budget in budgets)]
        parts += [f"## {data}", "", f"| {' | '.join(heads)} |",
                  f"| --- | --- |{' ---: |' * len(budgets)}"]  # fmt: skip
        for (table, layout), own in sorted(rows.items()):
            cells = [_cell(own.get(budget, []), best[budget]) for budget in budgets]
            parts.append(f"| {' | '.join([table, layout, *cells])} |")
        parts.append("")
    return "\n".join(parts)


def _best(runs: Iterable[Sequence[Record]]) -> float | None:
    """The highest mean; one seed is no ranking, and is left out of it."""
    return max((auc(own)[0] for own in runs if len(own) > 1), default=None)


def _cell(records: Sequence[Record], best: float | None) -> str:
    if not records:
        return ""
    mean, spread = auc(records)
    text = f"{mean:.4f}" if spread is None else f"{mean:.4f} ± {spread:.4f}"
    capped = "*" if is_capped(records) else ""
    return f"**{text}**{capped}" if spread is not None and mean == best else f"{text}{capped}"


def main(report: Report) -> None:
    """Reads the records and writes a file for each data set, and one of tables."""
    records = load("compression")
    if not records:
        raise SystemExit("Nothing is recorded yet: run python -m experiments.compression.sweep.")
    for data in dict.fromkeys(record.data or "" for record in records):
        draw(records, load("lookup"), data, report.folder / f"compression-{data}.png")
    (report.folder / TABLES.name).write_text(tabulate(records))


if __name__ == "__main__":
    main(tyro.cli(Report))
