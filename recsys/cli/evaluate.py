"""`recsys evaluate`: how good a trained model is, on a split or on raw files."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from recsys.cli.evaluate_towers import evaluate_towers
from recsys.cli.names import MaybeFiles, RunPath
from recsys.cli.opening import mesh_of, split_of, store_of
from recsys.data.store import MANIFEST
from recsys.metrics import METRICS, Predictions
from recsys.report import write_report
from recsys.report.text import Table
from recsys.retrieval.evaluation import METRICS as RANKING
from recsys.retrieval.settings import ResolvedTowers
from recsys.training.predictor import measure
from recsys.training.run import Run, open_run
from recsys.training.run_spec import read_spec

if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[(*METRICS, *RANKING)]


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measures a trained model on a split of its store, or on raw files with labels.

    Two towers are measured on a split of their own log: the whole catalogue is ranked for every
    user, with a bootstrap interval over users beside each mean.
    """

    run_directory: RunPath  # that `train` wrote
    data: MaybeFiles = ()  # another store, or raw files; by default its own store
    split: str = "test"  # of the store
    metrics: tuple[MetricName, ...] = ()  # by default all that these data can tell
    kept: float = 1.0  # share of non-clicks that training saw; predictions are corrected for it
    out: Path | None = None  # JSON file for the metrics
    report: bool = False  # write the run's report anew, measured on this split
    devices: int = 1  # that share the tables and each batch
    verify: bool = True  # read the whole store first, to see that nobody edited it

    def run(self) -> int:
        """Measures and prints."""
        if isinstance(read_spec(self.run_directory).resolved, ResolvedTowers):
            return self._towers()
        unfit = [name for name in self.metrics if name not in METRICS]
        if unfit:
            raise ValueError(
                f"{self.run_directory} predicts clicks, which {unfit} does not measure: known are "
                f"{', '.join(METRICS)}."
            )
        run = open_run(self.run_directory, mesh=mesh_of(self.devices))
        is_store = not self.data or (
            len(self.data) == 1 and (Path(self.data[0]) / MANIFEST).exists()
        )
        if is_store:
            given = Path(self.data[0]) if self.data else None
            store = store_of(run, given, verify=self.verify)
            predictions = run.predictor.predictions(split_of(store, self.split))
            where = f"{self.split} of {store.path}"
            if self.report:
                write_report(run, store, split=self.split)
        else:
            predictions, where = self._of_files(run), ", ".join(self.data)
        found = measure(predictions, self.metrics or None, kept=self.kept)
        rows = [("examples", len(predictions)), *found.items()]
        print(Table(f"{run.path}, step {run.step:,}, on {where}", ("metric", "value"), rows))
        if self.out is not None:
            told = {"run": str(run.path), "step": run.step, "data": where, "metrics": found}
            self.out.write_text(json.dumps(told, indent=1) + "\n")
        return 0

    def _towers(self) -> int:
        told = ("data", "kept", "report", "devices")
        given = [name for name in told if getattr(self, name) != getattr(Evaluate, name)]
        if given:
            raise ValueError(
                f"{self.run_directory} recommends, and is measured on its own log: leave out "
                f"{', '.join(given)}."
            )
        return evaluate_towers(
            self.run_directory, split=self.split, metrics=self.metrics, out=self.out
        )

    def _of_files(self, run: Run) -> Predictions:
        predictor, schema = run.predictor, run.predictor.schema
        if self.report:
            raise ValueError(
                "A report shows a split of a store, got raw files: leave out --report."
            )
        if schema.label is None:
            raise ValueError(f"{run.path} has a schema without a label: it can only predict.")
        also = [name for name in (schema.label, schema.weight, schema.user) if name]
        found = Predictions()
        for part in predictor.score(self.data, also=also):
            group = schema.keys("user", part.chunk.columns) if schema.user else None
            label = np.asarray(part.batch.label)
            weight = np.asarray(part.batch.weight) if schema.weight else None
            found.add(part.logit, label, weight=weight, group=group)
        return found
