"""The benchmark's records, grouped: seeds of one contender and budget belong together."""

import statistics
from collections.abc import Mapping, Sequence

from experiments.results import Record

Runs = dict[tuple[str, str], dict[float, list[Record]]]  # (table, layout) -> budget -> seeds


def of_data(records: Sequence[Record], data: str) -> Runs:
    """The runs of one data set."""
    found: Runs = {}
    for record in records:
        if record.data == data:
            by_budget = found.setdefault((record.table or "", record.layout or ""), {})
            by_budget.setdefault(record.budget or 1.0, []).append(record)
    return found


def auc(records: Sequence[Record]) -> tuple[float, float | None]:
    """Mean over seeds, and the standard deviation where there are several."""
    return _over_seeds([(record.metrics or {})["auc"] for record in records])


def full_of(runs: Runs) -> dict[int | None, float]:
    """The AUC of the full table by seed."""
    seeds = (own for (table, _), by_budget in runs.items() if table == "full"
             for own in by_budget.get(1.0, []))  # fmt: skip
    return {own.seed: (own.metrics or {})["auc"] for own in seeds}


def gain(records: Sequence[Record], full: Mapping[int | None, float]) -> tuple[float, float | None]:
    """The same of the AUC above that of the full table, seed by seed.

    Seeds have splits of their own, and what is easy in one is easy for all.

    Raises:
        ValueError: the full table has not been trained with one of the seeds.
    """
    if missing := {record.seed for record in records} - set(full):
        raise ValueError(
            f"The full table has no run of seed {', '.join(map(str, missing))}: run "
            "python -m experiments.compression.sweep with that seed."
        )
    return _over_seeds([(own.metrics or {})["auc"] - full[own.seed] for own in records])


def _over_seeds(values: Sequence[float]) -> tuple[float, float | None]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def is_capped(records: Sequence[Record]) -> bool:
    """Whether one of them was stopped by the limit on training time."""
    return any((record.metrics or {}).get("is_capped") for record in records)
