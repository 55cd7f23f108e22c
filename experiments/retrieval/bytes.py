"""Recall against bytes on Gowalla: how small can the rows of users and items get?

Plain multiplexing, multiplexing with a projection a feature, INT8, narrow rows, hot and cold rows,
histories without rows of users, and their combinations, at 1/2 to 1/16 of the bytes of float32 rows
for all users and items; rows of items alone are whole at `--budgets 0.6`. Wanted of the best: 99.5%
of the full R@20 at a quarter, 98.5% at an eighth, 95% at a sixteenth; plain multiplexing is
expected to lose much, since a product has no weights that tell features apart. All are trained in a
schedule of 8 epochs; test is read once a run. Runs that are recorded in
`results/retrieval_bytes.json` are not repeated, and a killed one goes on where it was.
Draw with `experiments.retrieval.report`.

    RECSYS_DATA=folder python -m experiments.retrieval.bytes
"""

import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import tyro
from tqdm import tqdm

from experiments.results import Record, device, identity, load, save
from experiments.retrieval.metrics import metrics_of
from experiments.retrieval.smaller import (
    CONTENDERS,
    FULL,
    Contender,
    by_frequency,
    coded,
    with_counts,
)
from experiments.retrieval.towers import SETTINGS, Setting, spec_of, train
from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import Interactions
from recsys.losses import CosineContrastive
from recsys.parallel.memory import keep_freed_memory
from recsys.retrieval import evaluate
from recsys.retrieval.user_batches import Sampling
from recsys.retrieval.vectors import embed
from recsys.training.footprint import kept_bytes

NAME = "retrieval_bytes"
SETTING = dataclasses.replace(  # with rows for users, shorter histories and no slack
    SETTINGS["gowalla"],
    has_id=True,
    history=16,
    every=5,
    sampling=Sampling(history="all", turns="all", weight=0.0),
    loss=CosineContrastive(margin=0.8, weight=150.0),
)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Trains towers over tables of several sizes."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    runs: Path = Path(".cache/bytes")  # where checkpoints are
    data: str = "gowalla"
    budgets: tuple[float, ...] = (0.5, 0.25, 0.125, 0.0625)  # of the full tables' bytes
    tables: tuple[str, ...] = ()  # of contenders; none is all
    layouts: tuple[str, ...] = ()  # of those; none is all
    seeds: tuple[int, ...] = (0, 1, 2)
    epochs: int = 8  # of the schedule


@dataclasses.dataclass(frozen=True)
class Job:
    """One training."""

    data: str
    contender: Contender
    budget: float
    seed: int
    training: str  # the setting

    def record(self, **measured) -> Record:
        """What it is, and what was measured."""
        return Record(
            experiment=NAME,
            data=self.data,
            model="two_tower",
            table=self.contender.table,
            layout=self.contender.layout,
            training=self.training,
            budget=self.budget,
            seed=self.seed,
            split="test",
            **measured,
        )

    @property
    def name(self) -> str:
        """Of its directory."""
        parts = (self.data, self.contender.table, self.contender.layout, self.budget, self.seed)
        return "-".join(map(str, parts)).replace(",", "").replace(" ", "_")


def jobs(sweep: Sweep, training: str) -> Iterator[Job]:
    """All runs, seed by seed, the full table first."""
    for seed in sweep.seeds:
        yield Job(sweep.data, FULL, 1.0, seed, training)
        for budget in sweep.budgets:
            for contender in CONTENDERS:
                is_table = not sweep.tables or contender.table in sweep.tables
                if is_table and (not sweep.layouts or contender.layout in sweep.layouts):
                    yield Job(sweep.data, contender, budget, seed, training)


def run(job: Job, data: Interactions, setting: Setting, *, runs: Path) -> Record:
    """Trains and measures once.

    Raises:
        ValueError: the contender has no tables as small.
    """
    whole = with_counts(spec_of(setting, data), data)
    full_bytes = _bytes(whole)
    budget_bytes = int(job.budget * full_bytes)
    spec = job.contender.within(budget_bytes, whole)
    started = time.monotonic()
    _, sides, learner, fitted = train(
        setting,
        data,
        seed=job.seed,
        epochs=setting.epochs,
        directory=runs / job.name,
        valid=None,
        spec=spec,
    )
    seconds = time.monotonic() - started
    state, table_bytes = fitted.state, learner.model(fitted.state).embed.table_bytes
    if job.contender.codec:
        state, table_bytes = coded(
            state, job.contender.codec, budget_bytes=budget_bytes, seed=job.seed
        )
    found = evaluate(embed(spec, state, sides), data, progress=False)
    return job.record(
        budget_bytes=budget_bytes,
        table_bytes=table_bytes,
        served_bytes=table_bytes,  # ids are numbers already
        full_bytes=full_bytes,
        train_bytes=kept_bytes(fitted.state),
        metrics=metrics_of(found),
        train_seconds=round(seconds, 1),
        device=device(),
        command=shlex.join(["python", "-m", "experiments.retrieval.bytes", *sys.argv[1:]]),
    )


def main(sweep: Sweep) -> None:
    """Trains what is not recorded yet."""
    setting = dataclasses.replace(SETTING, epochs=sweep.epochs)
    data = by_frequency(INTERACTIONS[sweep.data](sweep.folder / sweep.data))
    wanted = list(pending(sweep, str(setting)))
    for job in tqdm(wanted, unit=" runs"):
        told = f"{job.budget:.1%} {job.contender.table}, {job.contender.layout}, seed {job.seed}"
        try:
            record = run(job, data, setting, runs=sweep.runs)
        except ValueError as error:  # below the method's floor: its sentence says so
            tqdm.write(f"{told}: {error}", file=sys.stderr)
            continue
        save(NAME, [record])
        tqdm.write(f"{told}: R@20 {(record.metrics or {})['recall@20']:.4f}", file=sys.stderr)


def pending(sweep: Sweep, training: str) -> Iterator[Job]:
    """What is not recorded, whatever machine it would have run on."""
    done = {_key(record) for record in load(NAME)}
    return (job for job in jobs(sweep, training) if _key(job.record()) not in done)


def _key(record: Record) -> tuple:
    return identity(dataclasses.replace(record, device=None, command=None, budget_bytes=None))


def _bytes(spec) -> int:
    return sum(plan.table_bytes for plan in spec.layout.plans(spec.packed).values())


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(Sweep))
