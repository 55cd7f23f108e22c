"""MovieLens-1M in a tenth and in a fortieth of the bytes, without a float32 copy of any row.

INT8 of QR, the best of the sweep there, with what the sweep holds fixed set free: the width of
vectors and the weight decay of rows, without embedding dropout. They are chosen on validation with
the first seed, and that choice is trained with all seeds; test is read for the choice alone.
Wanted: .8980 in a tenth (158 kB) and .8975 in a fortieth (40 kB). Runs that are recorded in
`results/few_bytes.json` are not repeated; one to three minutes a run on one core.

    RECSYS_DATA=folder python -m experiments.compression.few_bytes
"""

import dataclasses
import os
import sys
from pathlib import Path

import tyro
from tqdm import tqdm

from experiments.compression.contenders import Contender
from experiments.compression.data_sets import DATA_SETS, DataSet
from experiments.compression.sweep import Job, run
from experiments.results import Record, load, save
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import INT8, QR

NAME = "few_bytes"
METHOD = Contender("int8", INT8(of=QR()), inside="qr")
EPOCHS, MOST_SECONDS = 60, 600.0


@dataclasses.dataclass(frozen=True)
class FewBytes:
    """Chooses on validation, then trains with every seed."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: str = "ml-1m"
    budgets: tuple[float, ...] = (0.1, 0.025)  # of the full table's bytes
    widths: tuple[int, ...] = (16, 20, 30)
    decays: tuple[float, ...] = (0.2, 0.3)
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class Choice:
    """A width and a decay."""

    width: int
    decay: float

    @property
    def training(self) -> str:
        """How records call it."""
        return f"width {self.width}, decay {self.decay}, no dropout"

    def of(self, data: DataSet) -> DataSet:
        """The data set with it."""
        rows = dataclasses.replace(data.recipe.rows, weight_decay=self.decay)
        recipe = dataclasses.replace(data.recipe, rows=rows, dropout=0.0)
        return dataclasses.replace(
            data, dim=self.width, recipe=recipe, epochs=EPOCHS, most_seconds=MOST_SECONDS
        )


def trained(wanted: FewBytes, choice: Choice, budget: float, seed: int, *, split: str) -> Record:
    """The record of a run, trained if it is not there; without what was read on test if that is
    for validation.
    """
    name = (wanted.data, budget, seed, choice.training)
    for record in load(NAME):
        if (record.data, record.budget, record.seed, record.training) == name and (
            record.split in (split, "test")
        ):
            return record
    found = run(Job(choice.of(DATA_SETS[wanted.data]), METHOD, budget, seed), wanted.folder)
    metrics = dict(found.metrics or {})
    if split == "validation":
        metrics = {key: metrics[key] for key in ("valid_auc", "epochs", "is_capped")}
    found = dataclasses.replace(
        found,
        experiment=NAME,
        training=choice.training,
        split=split,
        metrics=metrics,
        command="python -m experiments.compression.few_bytes",
    )
    save(NAME, [found])
    return found


def main(wanted: FewBytes) -> None:
    """Chooses, trains and says what came out."""
    choices = [Choice(width, decay) for width in wanted.widths for decay in wanted.decays]
    runs = len(wanted.budgets) * (len(choices) + len(wanted.seeds))
    with tqdm(total=runs, unit=" runs") as bar:
        for budget in wanted.budgets:
            valid: dict[Choice, float] = {}
            for choice in choices:
                seen = trained(wanted, choice, budget, wanted.seeds[0], split="validation")
                valid[choice] = (seen.metrics or {})["valid_auc"]
                bar.update()
            best = max(valid, key=valid.__getitem__)
            for seed in wanted.seeds:
                found = trained(wanted, best, budget, seed, split="test")
                told = f"{budget:.1%}, {best.training}, seed {seed}"
                bar.write(f"{told}: AUC {(found.metrics or {})['auc']:.4f}", file=sys.stderr)
                bar.update()


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(FewBytes))
