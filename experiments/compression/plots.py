"""Pareto plots: what each contender reaches, against each thing that it costs."""

import dataclasses
import itertools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.benchmarks.lookup import Lookup
from experiments.compression.runs import full_of, gain, of_data
from experiments.results import Record
from recsys.tables import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COSTS: dict[str, Callable[[Record], float | None]] = {
    "table bytes (kB)": lambda record: (record.table_bytes or 0) / 1e3,
    "served bytes, with vocabularies (kB)": lambda record: (record.served_bytes or 0) / 1e3,
    "persistent training bytes (kB)": lambda record: (record.train_bytes or 0) / 1e3,
    "training time (s)": lambda record: record.train_seconds,
}
LATENCY = "lookup of 4,096 examples at a tenth (times the full table's)"
ALIKE = 1.05  # costs no further apart than this are the same
DISTANCES = (-0.2, -0.1, -0.05, -0.02, -0.01, -0.005, -0.002, 0, 0.002, 0.005, 0.01)
COLORS = {
    "none": "black",
    "hashing": "C0",
    "composition": "C1",
    "dynamic": "C2",
    "quantization": "C3",
    "dimension": "C4",
}


@dataclasses.dataclass(frozen=True)
class Point:
    """A contender at a budget."""

    table: str
    layout: str
    cost: float
    gain: float  # AUC above that of the full table of the same seed, which has the same split
    spread: float | None  # of that over seeds; None is one seed

    @property
    def label(self) -> str:
        """Its name in few words: one table for all features goes without saying."""
        if self.table == "full":
            return "full"
        said = self.layout.removeprefix("unified").lstrip(", ").strip()
        return f"{self.table} {said}".strip()


def frontier(points: Sequence[Point]) -> list[Point]:
    """Those that nothing better costs as little as, to a twentieth; the cheapest first."""
    return [
        point
        for point in sorted(points, key=lambda point: (point.cost, -point.gain))
        if not any(other.gain > point.gain and other.cost <= ALIKE * point.cost for other in points)
    ]


def points_of(
    records: Sequence[Record], data: str, cost: Callable[[Record], float | None]
) -> list[Point]:
    """Every contender of a data set at every budget whose cost is known."""
    runs = of_data(records, data)
    full, found = full_of(runs), []
    for (table, layout), by_budget in sorted(runs.items()):
        for own in by_budget.values():
            costs = [value for value in map(cost, own) if value is not None]
            if costs:
                found.append(Point(table, layout, statistics.fmean(costs), *gain(own, full)))
    return found


def latency_of(lookups: Sequence[Record]) -> Callable[[Record], float | None]:
    """How long a lookup takes of what was timed: one table for all features, in one lookup."""
    known = {(own.table, own.layout): own.metrics or {} for own in lookups}

    def cost(record: Record) -> float | None:
        is_timed = record.table == "full" or record.budget == Lookup.budget
        key = (record.table, "unified" if record.table == "full" else record.layout)
        return known[key].get("lookup_4096_of_full") if is_timed and key in known else None

    return cost


def draw(records: Sequence[Record], lookups: Sequence[Record], data: str, path: Path) -> None:
    """A panel a cost, with the frontier and its names, and the AUC as a distance to full."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 2, figsize=(14, 17), sharey=True, layout="constrained")
    costs = {**COSTS, LATENCY: latency_of(lookups)}
    for plot, (label, cost) in zip(axes.flat, costs.items(), strict=False):
        _panel(plot, points_of(records, data, cost))
        plot.set(xscale="log", xlabel=label)
        plot.set_yscale("symlog", linthresh=0.005)
        low, high = plot.get_ylim()
        within = [distance for distance in DISTANCES if low <= distance <= high]
        plot.set_yticks(within, [f"{distance:+g}" for distance in within])
        plot.tick_params(axis="y", which="minor", left=False)
        plot.grid(alpha=0.2)
        plot.set_ylabel("test AUC above the full table's")
    _legend(axes.flat[-1])
    figure.suptitle(f"{data}: what each method reaches, and what it costs")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _panel(plot: "Axes", points: Sequence[Point]) -> None:
    """Points by category, hollow where one seed is all there is, and the frontier by name."""
    for point in points:
        color = COLORS[METHODS[point.table].category]
        plot.errorbar(
            point.cost,
            point.gain,
            yerr=point.spread or 0.0,
            marker="s" if " of " in point.layout else "o",
            color=color,
            markerfacecolor="none" if point.spread is None else color,
            markersize=5,
            elinewidth=0.8,
            alpha=0.8,
        )
    best = frontier(points)
    plot.step(
        [point.cost for point in best],
        [point.gain for point in best],
        where="post",
        color="gray",
        linewidth=0.8,
    )
    for point, (x, y) in zip(best, itertools.cycle([(-4, 9), (6, -12)]), strict=False):
        plot.annotate(
            point.label,
            (point.cost, point.gain),
            xytext=(x, y),
            textcoords="offset points",
            fontsize=7,
        )


def _legend(plot: "Axes") -> None:
    plot.axis("off")
    for category, color in COLORS.items():
        name = "full table" if category == "none" else category
        plot.plot([], [], "o", color=color, label=name)
    plot.plot([], [], "s", color="gray", label="a storage of another method's rows")
    plot.plot([], [], "o", color="gray", markerfacecolor="none", label="one seed: no ranking")
    plot.plot([], [], "-", color="gray", label="better than all that costs less")
    plot.legend(loc="center", fontsize=11)
