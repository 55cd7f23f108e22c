"""The benchmark's records, grouped: seeds of one contender and budget belong together."""

import statistics
from collections.abc import Sequence

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
    values = [(record.metrics or {})["auc"] for record in records]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def is_capped(records: Sequence[Record]) -> bool:
    """Whether one of them was stopped by the limit on training time."""
    return any((record.metrics or {}).get("is_capped") for record in records)
