"""`recsys train`: a store to a trained model."""

import dataclasses
import sys
from pathlib import Path
from typing import Literal

from tyro.conf import OmitArgPrefixes

from recsys.cli.names import StorePath, run_path
from recsys.cli.opening import mesh_of, open_store
from recsys.parallel.memory import keep_freed_memory
from recsys.report import write_report
from recsys.report.text import Table
from recsys.training.run import open_run, train_run
from recsys.training.settings import Settings

STOPPED = 128 + 15  # exit status: how a shell spells an end by SIGTERM


@dataclasses.dataclass(frozen=True)
class Train:
    """Trains a model on a store; the same command goes on where it was stopped or killed."""

    store: StorePath  # that `data import` wrote
    task: Literal["clicks", "retrieval", "explicit"] = (
        "clicks"  # each `--task X --help` has its own
    )
    out: Path | None = None  # directory of the run; by default runs/NAME of the store
    every: int | None = None  # steps between checkpoints, beside that of each epoch
    log_every: int = 1  # steps between lines of the log
    devices: int = 1  # that share the tables and each batch
    verify: bool = True  # read the whole store first, to see that nobody edited it
    settings: OmitArgPrefixes[Settings] = Settings()  # the model and how it learns

    def run(self) -> int:
        """Trains, writes the report, and says what was reached."""
        store = open_store(self.store, verify=self.verify)
        out, mesh = self.out or run_path(self.store), mesh_of(self.devices)
        if "valid" not in store.splits:
            epochs = self.settings.epochs
            told = f"{self.store} has no split to choose an epoch by: trains all {epochs}."
            print(told, file=sys.stderr)
        keep_freed_memory()
        fitted = train_run(
            store, out, self.settings, mesh=mesh, every=self.every, log_every=self.log_every
        )
        if fitted.is_stopped:
            told = f"Stopped after step {fitted.last_step:,}, which is saved in {out}: "
            print(f"{told}the same command goes on from there.", file=sys.stderr)
            return STOPPED
        run = open_run(out, mesh=mesh)
        report = write_report(run, store)
        embed = run.predictor.learner.model(run.predictor.state).embed
        rows = [("step", run.step), *run.valid.items(), ("table bytes", embed.table_bytes)]
        print(Table(f"{out}: the best epoch on validation", ("", "valid"), rows))
        print(f"Report: {report}")
        print(f"Next: recsys evaluate {out}")
        return 0
