"""`recsys predict`: raw rows in, probabilities out."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from recsys.cli.names import Files, RunPath
from recsys.cli.opening import mesh_of
from recsys.data.rejects import OnBadRows, Rejects
from recsys.metrics import correction
from recsys.training.predictor import Predictor, Scored, probability
from recsys.training.run import open_run

PROBABILITY = "probability"


@dataclasses.dataclass(frozen=True)
class Predict:
    """Writes what a trained model says of each row of raw files.

    A line of the result names the line (or row) of the file, and the file where there are many.
    """

    run_directory: RunPath  # that `train` wrote
    files: Files  # in any format that can be imported; no label is needed
    out: Path = Path("predictions.csv")  # CSV
    columns: tuple[str, ...] = ()  # of the files, to copy; by default the user and the item
    kept: float = 1.0  # share of non-clicks that training saw; predictions are corrected for it
    on_bad_rows: OnBadRows = "stop"  # at the first; or skip them, and keep them with their reasons
    devices: int = 1  # that share the tables and each batch

    def run(self) -> int:
        """Predicts chunk by chunk."""
        run = open_run(self.run_directory, mesh=mesh_of(self.devices))
        schema = run.predictor.schema
        copied = self.columns or tuple(filter(None, dict.fromkeys((schema.user, schema.item))))
        rows = 0
        with _written(self.out) as partial, self._rejects() as rejects:
            for count in self._write(run.predictor, copied, partial, rejects):
                rows += count
        print(f"{self.out}: {rows:,} rows")
        if rejects.count:
            print(f"{rejects.count:,} rows were rejected: {self._rejected} says why.")
        return 0

    def _write(
        self, predictor: Predictor, copied: tuple[str, ...], partial: Path, rejects: Rejects
    ) -> Iterator[int]:
        """Writes the predictions; hands out how many rows each chunk had."""
        writer = None
        try:
            for part in predictor.score(self.files, also=copied, rejects=rejects):
                table = self._table(part, copied)
                writer = writer or pyarrow.csv.CSVWriter(partial, table.schema)
                writer.write_table(table)
                yield len(table)
        finally:
            if writer is not None:
                writer.close()

    def _table(self, part: Scored, copied: tuple[str, ...]) -> pa.Table:
        logit = part.logit + np.float32(correction(self.kept))
        columns = {
            "file": [part.chunk.file] * len(part.chunk),
            part.chunk.unit: part.chunk.places,
            **{name: part.chunk.table[name] for name in copied},
            PROBABILITY: probability(logit),
        }
        return pa.table(columns)

    @property
    def _rejected(self) -> Path:
        return self.out.with_suffix(".rejected.jsonl")

    @contextlib.contextmanager
    def _rejects(self) -> Iterator[Rejects]:
        """Where rejected rows go: into a file beside the result, or the first is an error."""
        if self.on_bad_rows == "stop":
            yield Rejects()
            return
        with self._rejected.open("w", encoding="utf-8") as file:
            rejects = Rejects(file.write)
            yield rejects
        if not rejects.count:
            self._rejected.unlink()


@contextlib.contextmanager
def _written(path: Path) -> Iterator[Path]:
    """A file beside the wanted one, that takes its place when all is well."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        if partial.exists():
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
