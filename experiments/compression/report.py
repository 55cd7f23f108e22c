"""Draws and tabulates the compression benchmark from `results/compression.json`.

For each data set a Pareto plot of test AUC against table bytes, served bytes, persistent training
bytes, training time and the latency of a lookup (`experiments.benchmarks.lookup`), and a Markdown
table of mean and spread over seeds, budgets side by side.

    python -m experiments.compression.report
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tyro

from experiments.compression.plots import draw
from experiments.compression.runs import Runs, auc, full_of, gain, is_capped, of_data
from experiments.results import RESULTS, Record, load

TABLES = RESULTS / "compression.md"
Measure = Callable[[Sequence[Record]], tuple[float, float | None]]  # mean and spread over seeds


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
        parts += [f"## {data}", "", *_table(rows, auc)]
        full = full_of(rows)
        repeated = {
            name: several
            for name, own in rows.items()
            if name[0] != "full"
            and (several := {budget: seeds for budget, seeds in own.items() if len(seeds) > 1})
        }
        if repeated and full:
            parts += [f"### {data}: above the full table of the same seed", "",
                      "Seeds have splits of their own; what was trained with several.", "",
                      *_table(repeated, lambda seeds, full=full: gain(seeds, full))]  # fmt: skip
    return "\n".join(parts)


def _table(rows: Runs, measure: Measure) -> list[str]:
    """A row a contender, a column a budget."""
    budgets = sorted({budget for own in rows.values() for budget in own}, reverse=True)
    best = {budget: _best((own[budget] for own in rows.values() if budget in own), measure)
            for budget in budgets}  # fmt: skip
    heads = ["method", "layout", *(f"{budget:.4g}" for budget in budgets)]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * len(budgets)}"]
    for (table, layout), own in sorted(rows.items()):
        cells = [_cell(own.get(budget, []), best[budget], measure) for budget in budgets]
        lines.append(f"| {' | '.join([table, layout, *cells])} |")
    return [*lines, ""]


def _best(runs: Iterable[Sequence[Record]], measure: Measure) -> float | None:
    """The highest mean; one seed is no ranking, and is left out of it."""
    return max((measure(own)[0] for own in runs if len(own) > 1), default=None)


def _cell(records: Sequence[Record], best: float | None, measure: Measure) -> str:
    if not records:
        return ""
    mean, spread = measure(records)
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
