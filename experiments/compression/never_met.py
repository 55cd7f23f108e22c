"""What a value reads that training never met: the row of unknown values, or nothing.

Vocabularies keep every value of training, so nothing trains the row of the unknown one. In a table
with a row a value it stays where it started; in one that shares rows it is whatever a neighbour
learned. Here unknown values of validation and test read zeros instead; all else is as in
`sweep.py`, whose records of the same runs are what to compare with. Records go to
`results/never_met.json`; what is there is not trained again. A run takes one to two minutes.

    RECSYS_DATA=folder python -m experiments.compression.never_met
"""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import tyro
from tqdm import tqdm

from experiments.compression.contenders import CONTENDERS, FULL
from experiments.compression.data_sets import DATA_SETS
from experiments.compression.sweep import Encoded, Job, run
from experiments.results import load, save
from recsys.features import Schema
from recsys.parallel.memory import keep_freed_memory

NAME = "never_met"
CASES = (  # table, layout, budget
    ("full", "per feature", 1.0),
    ("int4", "unified of qr", 0.05),
    ("int4", "unified of qr", 0.25),
    ("qr", "unified", 0.01),
    ("frequency", "unified", 0.01),
)


@dataclasses.dataclass(frozen=True)
class NeverMet:
    """Trains tables whose unknown values read zeros once training is over."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: str = "ml-1m-crossed"
    seeds: tuple[int, ...] = (0, 1)


def without_unknown(data: Encoded, schema: Schema) -> Encoded:
    """The splits with unknown values as padding, which reads zeros, wherever nothing is learned."""
    last = np.array([(feature.values or 0) - 1 for feature in schema.features])

    def cut(split: str) -> Encoded:
        batch = data[split]
        return {split: dataclasses.replace(batch, valid=batch.valid & (batch.low < last))}

    return {**data, **cut("valid"), **cut("test")}


def main(asked: NeverMet) -> None:
    """Trains what is not recorded yet."""
    named = {(own.table, own.name): own for own in (FULL, *CONTENDERS)}
    done = {(own.data, own.table, own.layout, own.budget, own.seed) for own in load(NAME)}
    for seed in asked.seeds:
        for table, layout, budget in tqdm(CASES, unit=" runs"):
            if (asked.data, table, layout, budget, seed) in done:
                continue
            job = Job(DATA_SETS[asked.data], named[table, layout], budget, seed)
            found = dataclasses.replace(
                run(job, asked.folder, change=without_unknown),
                experiment=NAME,
                training="best, zeros for what training never met",
                command="python -m experiments.compression.never_met",
            )
            save(NAME, [found])
            print(f"{table} {layout} {budget:.1%}, seed {seed}: {found.metrics}", file=sys.stderr)


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(NeverMet))
