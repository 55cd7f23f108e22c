"""Draws and tabulates the compression benchmark from `results/compression.json`.

For each data set a Pareto plot of test AUC against table bytes, served bytes, persistent training
bytes and training time, and a Markdown table of mean and spread over seeds, budgets side by side.

    python -m experiments.compression.report
"""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tyro

from experiments.results import RESULTS, Record, load

TABLES = RESULTS / "compression.md"
AXES: dict[str, Callable[[Record], float]] = {
    "table bytes (kB)": lambda record: (record.table_bytes or 0) / 1e3,
    "served bytes (kB)": lambda record: (record.served_bytes or 0) / 1e3,
    "persistent training bytes (kB)": lambda record: (record.train_bytes or 0) / 1e3,
    "training time (s)": lambda record: record.train_seconds or 0.0,
}


@dataclasses.dataclass(frozen=True)
class Report:
    """Writes the plots and the tables."""

    folder: Path = RESULTS  # where they go


def of_data(records: Sequence[Record], data: str) -> dict[tuple[str, str], dict[float, list]]:
    """The records of a data set: (table, layout) -> budget -> seeds."""
    found: dict[tuple[str, str], dict[float, list]] = {}
    for record in records:
        if record.data == data:
            by_budget = found.setdefault((record.table or "", record.layout or ""), {})
            by_budget.setdefault(record.budget or 1.0, []).append(record)
    return found


def auc(records: Sequence[Record]) -> tuple[float, float | None]:
    """Mean over seeds, and the standard deviation where there are several."""
    values = [(record.metrics or {})["auc"] for record in records]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def tabulate(records: Sequence[Record]) -> str:
    """All data sets as Markdown: a row a method, a column a budget, the best of a column bold."""
    parts = ["# Compression benchmark", "", "Test AUC, mean ± standard deviation over seeds; empty"
             " is below the method's floor or not run, `*` was capped in time; bold is the best of"
             " its column over several seeds. `python -m experiments.compression.sweep` measures,"
             " `python -m experiments.compression.report` renders.", ""]  # fmt: skip
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
    capped = "*" if any((record.metrics or {}).get("is_capped") for record in records) else ""
    return f"**{text}**{capped}" if spread is not None and mean == best else f"{text}{capped}"


def draw(records: Sequence[Record], data: str, path: Path) -> None:
    """AUC of every method against what it costs."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(13, 10), sharey=True, layout="constrained")
    for plot, (label, cost) in zip(axes.flat, AXES.items(), strict=True):
        for number, ((table, layout), by_budget) in enumerate(
            sorted(of_data(records, data).items())
        ):
            points = sorted(
                (statistics.fmean(map(cost, own)), *auc(own)) for own in by_budget.values()
            )
            plot.errorbar(
                [x for x, _, _ in points],
                [mean for _, mean, _ in points],
                yerr=[spread or 0.0 for _, _, spread in points],
                marker="osv^D*P"[number % 7],
                color=f"C{number % 10}",
                linestyle=("-", "--", ":")[number // 10 % 3],
                markersize=4,
                capsize=2,
                label=table if layout == "unified" else f"{table}, {layout}",
            )
        plot.set(xscale="log", xlabel=label, ylabel="test AUC")
    axes[0, 1].legend(fontsize=7, ncols=2)
    figure.suptitle(f"{data}: what each method reaches, and what it costs")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(report: Report) -> None:
    """Reads the records and writes a file for each data set, and one of tables."""
    records = load("compression")
    if not records:
        raise SystemExit("Nothing is recorded yet: run python -m experiments.compression.sweep.")
    for data in dict.fromkeys(record.data or "" for record in records):
        draw(records, data, report.folder / f"compression-{data}.png")
    (report.folder / TABLES.name).write_text(tabulate(records))


if __name__ == "__main__":
    main(tyro.cli(Report))
