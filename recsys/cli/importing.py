"""`recsys data import`: raw files to examples on disk."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recsys.cli.names import Files, schema_path, store_path
from recsys.data.importing import import_files
from recsys.data.rejects import OnBadRows
from recsys.data.splits import SPLITS
from recsys.data.store import REJECTED
from recsys.features.schema_file import read
from recsys.report.text import Table
from recsys.training.options import with_options

if TYPE_CHECKING:
    SplitName = str
else:
    SplitName = Literal[tuple(SPLITS)]

WORDS: dict[tuple[str, ...], tuple[str, ...] | None] = {("all",): None, ("none",): ()}


@dataclasses.dataclass(frozen=True)
class Import:
    """Makes a store of raw files: examples as a model reads them, in splits."""

    files: Files  # CSV, TSV, JSONL, Parquet (.gz, .zst), or tfds:NAME
    schema: Path | None = None  # by default the one that `data describe` wrote: FILE.schema.toml
    out: Path | None = None  # of the store; by default FILE.store
    split: SplitName = "random"  # which rows train, choose the epoch and judge
    split_options: tuple[str, ...] = ()  # of the split, as valid=0.05 test=0.05 seed=1
    on_bad_rows: OnBadRows = "stop"  # at the first; or skip them, and keep them with their reasons
    vocabulary: tuple[str, ...] = ("all",)  # features that get one, or none: all others are hashed
    min_count: int = 2  # values of a vocabulary that are rarer in training are unknown
    max_values: int | None = None  # at most so many values of a vocabulary are kept

    def run(self) -> int:
        """Reads, writes, and says what came of it."""
        schema = read(self.schema or schema_path(self.files))
        out = self.out or store_path(self.files)
        report = import_files(
            self.files,
            schema,
            out,
            split=with_options(SPLITS[self.split], self.split_options),
            on_bad_rows=self.on_bad_rows,
            vocabulary=WORDS.get(self.vocabulary, self.vocabulary),
            min_count=self.min_count,
            max_values=self.max_values,
            progress=sys.stderr.isatty(),
        )
        rows = [(name, count, report.labels[name]) for name, count in report.examples.items()]
        print(Table(f"{out}", ("split", "examples", "mean label"), rows))
        if report.rejected:
            print(f"{report.rejected:,} rows were rejected: {out / REJECTED} says why.")
        print(f"Next: recsys train {out}")
        return 0
