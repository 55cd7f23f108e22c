"""`recsys train --task retrieval`: who met what, to two towers that recommend."""

import dataclasses
from pathlib import Path
from typing import Literal

from tyro.conf import OmitArgPrefixes

from recsys.cli.names import TrainingData, run_path, schema_path, stem
from recsys.parallel.memory import keep_freed_memory
from recsys.report.text import Table
from recsys.retrieval.run import judge, open_towers, train_towers
from recsys.retrieval.settings import TowerSettings
from recsys.retrieval.sources import store_for


@dataclasses.dataclass(frozen=True)
class TrainTowers:
    """Trains two towers on who met what; the same command goes on where it was stopped or killed.

    Data are a store that `data import` wrote, or a log (CSV, TSV, JSONL, Parquet) with columns for
    the user and the item, which is imported with its schema, FILE.schema.toml, where there is one;
    or a known data set by name: ml-100k, ml-1m. What has a label above 0 was liked; without a
    label, all that was met.
    """

    data: TrainingData  # a store, a log, or the name of a known data set
    task: Literal["clicks", "retrieval", "explicit"] = (
        "retrieval"  # each `--task X --help` has its own
    )
    out: Path | None = None  # directory of the run; by default runs/NAME of the data
    folder: Path = Path(".cache")  # where known data sets are, or are downloaded to
    verify: bool = True  # read the whole store first, to see that nobody edited it
    settings: OmitArgPrefixes[TowerSettings] = TowerSettings()  # the towers and how they learn

    def run(self) -> int:
        """Trains, measures on the test split, and says what was reached."""
        name = Path(self.data) if Path(self.data).is_dir() else stem([self.data])
        out = self.out or run_path(name)
        schema = schema_path([self.data])
        store = store_for(
            self.data, out, folder=self.folder, schema=schema if schema.is_file() else None
        )
        if self.verify:
            store.verify()
        keep_freed_memory()
        train_towers(store, out, self.settings)
        run = open_towers(out)
        test = judge(run).metrics if run.known.test.nnz else {}
        names = list(test) or list(run.valid)
        rows = [(name, run.valid.get(name), test.get(name)) for name in names]
        title = f"{out}: epoch {run.epoch}, {run.table_bytes:,} bytes of tables"
        print(Table(title, ("metric", "valid", "test"), rows))
        known = run.known
        print(f"{len(known.users):,} users, {len(known.items):,} items, {known.liked.nnz:,} liked")
        print(f"Next: recsys recommend {out} --user ID")
        return 0
