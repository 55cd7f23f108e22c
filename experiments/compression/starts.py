"""What the start of its rows does to QR and to ROBE.

Zhang et al. (VLDB 2024) start the rows of every method uniformly within 1 / sqrt(n) of zero, n the
size of the largest vocabulary, and rank ROBE last and a product of QR in the middle. Here both are
trained from that start at 1% of crossed MovieLens-1M; all else is as in `sweep.py`, whose records
of the same methods start as ours do. Records go to `results/starts.json`; what is there is not
trained again.

    RECSYS_DATA=folder python -m experiments.compression.starts
"""

import dataclasses
import os
import sys
from pathlib import Path

import tyro
from flax import nnx
from tqdm import tqdm

from experiments.compression.contenders import Contender
from experiments.compression.data_sets import DATA_SETS
from experiments.compression.sweep import Job, prepared, run
from experiments.results import load, save
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import QR, ROBE
from recsys.tables.base import Field
from recsys.tables.parts import uniform_rows
from recsys.tables.qr import QRTable

NAME = "starts"


@dataclasses.dataclass(frozen=True)
class Starts:
    """Trains both methods from the start of the study."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: str = "ml-1m-crossed"
    budget: float = 0.01  # of the full table's bytes
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class PlainQR(QR):
    """QR whose rows by quotient start as those by remainder do, and not as signs."""

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> QRTable:
        remainders, quotients = self.split(fields)
        rows = uniform_rows(remainders + quotients, dim, self.initial, rngs)
        return QRTable(dim, fields, {"weight": rows}, remainders=remainders, by=self.by)


def contenders(largest: int) -> tuple[Contender, ...]:
    """The methods as the study starts them; `largest` is the size of the largest vocabulary."""
    small = largest**-0.5
    return Contender("qr", PlainQR(initial=small)), Contender("robe", ROBE(initial=small))


def main(starts: Starts) -> None:
    """Trains what is not recorded yet."""
    done = {(record.data, record.budget, record.seed, record.table) for record in load(NAME)}
    for seed in tqdm(starts.seeds, unit=" seeds"):
        known = prepared(starts.data, starts.folder, seed).known
        largest = max(feature.values or 0 for feature in known.features)
        for contender in contenders(largest):
            if (starts.data, starts.budget, seed, contender.table) in done:
                continue
            job = Job(DATA_SETS[starts.data], contender, starts.budget, seed)
            found = dataclasses.replace(
                run(job, starts.folder),
                experiment=NAME,
                training="best, the study's start",
                command="python -m experiments.compression.starts",
            )
            save(NAME, [found])
            print(f"{contender.table}, seed {seed}: {found.metrics}", file=sys.stderr)


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(Starts))
