"""What `recsys evaluate` does with a run of two towers: it ranks the whole catalogue."""

import json
from pathlib import Path

from recsys.report.text import Table
from recsys.retrieval.evaluation import METRICS
from recsys.retrieval.run import judge, open_towers


def evaluate_towers(
    directory: Path, *, split: str, metrics: tuple[str, ...], out: Path | None
) -> int:
    """Measures and prints: means over users with their bootstrap intervals, cold users apart.

    Raises:
        ValueError: there is no such split, or a metric measures no lists.
    """
    run = open_towers(directory)
    metrics = metrics or METRICS
    found = judge(run, split=split, metrics=metrics)
    intervals = {name: found.interval(name) for name in metrics}
    nothing = (None, None)
    rows = [(name, mean, *intervals.get(name, nothing)) for name, mean in found.metrics.items()]
    cold = int(found.is_cold.sum())
    if cold:
        means = found.of(found.is_cold)
        rows += [(f"{name}, cold users", mean, *nothing) for name, mean in means.items()]
    users = f"{len(found.is_cold):,} users, {cold:,} of them cold"
    title = f"{run.path}, epoch {run.epoch}, on {split}: {users}"
    print(Table(title, ("metric", "mean", "from", "to"), rows))
    if out is not None:
        told = {
            "run": str(run.path),
            "epoch": run.epoch,
            "data": split,
            "metrics": found.metrics,
            "intervals": intervals,
        }
        out.write_text(json.dumps(told, indent=1) + "\n")
    return 0
