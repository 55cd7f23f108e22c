"""Every way of compressing tables, at every budget, on data sets with real and planted labels.

One ranker (DCN-v2, a cross layer and 192), one recipe a data set, one split a seed; only the table
changes. The epoch is chosen on validation and the test split is read once a run. A budget is a
share of the float32 table with a row for every value; a method that has no table as small says its
floor and is left out. A run trains for at most the seconds that its data set allows and is printed
as capped if it needed more; what the first seed could not finish is not repeated with others.

Runs that are recorded in `results/compression.json` are not repeated, so the sweep can be stopped
and started, and two processes, one with `--part 0 2` and one with `--part 1 2`, use two cores. Draw
and tabulate with `experiments.compression.report`. The second command repeats the best six of each
budget, by validation AUC, of what the first trains with one seed; other budgets, as `--budgets 0.5
0.25`, are run by hand.

    RECSYS_DATA=folder python -m experiments.compression.sweep
    RECSYS_DATA=folder python -m experiments.compression.sweep --data planted --seeds 1 2 --best 6
"""

import dataclasses
import functools
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tyro
from flax import nnx
from tqdm import tqdm

from experiments.compression.contenders import CONTENDERS, FULL, Contender
from experiments.compression.data_sets import DATA_SETS, DataSet, Splits
from experiments.results import Record, device, identity, load, save
from recsys.data import Shuffled
from recsys.features import Batch, Schema
from recsys.features.vocabulary import Vocabulary
from recsys.models import DCN
from recsys.parallel.memory import keep_freed_memory
from recsys.training import Learner, evaluate
from recsys.training.footprint import kept_bytes
from recsys.training.loop import fit

NAME = "compression"
PATIENCE = 2
Encoded = dict[str, Batch]  # by split


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Trains methods x budgets x seeds on some data sets."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: tuple[str, ...] = tuple(DATA_SETS)  # data sets, by name
    tables: tuple[str, ...] = ()  # methods, by registry name; none is those of the data set
    layouts: tuple[str, ...] = ()  # of those, as records call them; none is all
    budgets: tuple[float, ...] = ()  # of the full table's bytes; none is those of the data set
    seeds: tuple[int, ...] = ()  # none is those of the data set
    best: int | None = None  # only so many of a budget, by validation AUC of the recorded runs
    part: tuple[int, int] = (0, 1)  # which part of the runs, and of how many parts


@dataclasses.dataclass(frozen=True)
class Job:
    """One training."""

    data: DataSet
    contender: Contender
    budget: float
    seed: int

    def record(self, **measured) -> Record:
        """What it is, and what was measured."""
        return Record(
            experiment=NAME,
            data=self.data.name,
            model="dcn",
            table=self.contender.table,
            layout=self.contender.name,
            training="best",
            budget=self.budget,
            seed=self.seed,
            split="test",
            device=device(),
            command="python -m experiments.compression.sweep",
            **measured,
        )

    @property
    def key(self) -> tuple:
        """What tells runs apart."""
        return key_of(self.record())


def key_of(record: Record) -> tuple:
    """What tells runs apart, whatever machine they ran on."""
    unlike = {"device": None, "command": None, "budget_bytes": None}
    return identity(dataclasses.replace(record, **unlike))


def jobs(sweep: Sweep) -> Iterator[Job]:
    """All runs, data set by data set and seed by seed, the full table first."""
    for data in map(DATA_SETS.__getitem__, sweep.data):
        tables = sweep.tables or data.tables
        asked = [
            contender
            for contender in CONTENDERS
            if (not tables or contender.table in tables)
            and (not sweep.layouts or contender.name in sweep.layouts)
        ]
        for seed in sweep.seeds or data.seeds:
            yield Job(data, FULL, 1.0, seed)
            for budget in sweep.budgets or data.budgets:
                if not sweep.seeds and seed != data.seeds[0] and budget in data.once:
                    continue
                chosen = asked
                if sweep.best is not None:
                    chosen = best(asked, sweep.best, data.name, budget)
                for contender in chosen:
                    yield Job(data, contender, budget, seed)


def is_too_slow(job: Job) -> bool:
    """Whether another seed's turn would be wasted: the first was capped."""
    first = dataclasses.replace(job, seed=job.data.seeds[0])
    return job.seed != first.seed and any(
        (record.metrics or {})["is_capped"] for record in load(NAME) if key_of(record) == first.key
    )


def best(asked: Sequence[Contender], count: int, data: str, budget: float) -> list[Contender]:
    """The contenders of the highest validation AUC that were not capped, the best first.

    The first seed of the data set ranks them, so that what other seeds give changes no choice.

    Raises:
        SystemExit: that seed is not recorded.
    """
    first = DATA_SETS[data].seeds[0]
    valid = {
        (record.table, record.layout): (record.metrics or {})["valid_auc"]
        for record in load(NAME)
        if (record.data, record.budget, record.seed) == (data, budget, first)
        and not (record.metrics or {})["is_capped"]
    }
    ran = [own for own in asked if (own.table, own.name) in valid]
    if len(ran) < count:
        raise SystemExit(
            f"--best {count} wants as many runs of seed {first} of {data} at {budget:.1%}, "
            f"found {len(ran)}: run that seed first, without --best."
        )
    return sorted(ran, key=lambda own: -valid[own.table, own.name])[:count]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """One split of a data set, read and numbered once for all methods."""

    columns: Splits
    known: Schema  # with the sizes of its vocabularies
    vocabularies: dict[str, Vocabulary]
    full_bytes: int


@functools.lru_cache(maxsize=1)
def prepared(name: str, folder: Path, seed: int) -> Prepared:
    """Reads a data set and learns its vocabularies from the training split."""
    data = DATA_SETS[name]
    columns = data.load(folder, seed)
    known, vocabularies = data.schema.with_vocabularies(columns["train"])
    full = FULL.within(2**62, data.dim, known)
    size = sum(plan.table_bytes for plan in full.plans(known).values())
    return Prepared(columns, known, vocabularies, size)


@functools.lru_cache(maxsize=2)  # with vocabularies and without
def batches(name: str, folder: Path, seed: int, is_numbered: bool) -> Encoded:
    """The splits as keys: ranks of a vocabulary, or hashed values."""
    own = prepared(name, folder, seed)
    schema = own.known if is_numbered else DATA_SETS[name].schema
    known = own.vocabularies if is_numbered else {}
    return {part: schema.encode(columns, known) for part, columns in own.columns.items()}


def run(
    job: Job, folder: Path, *, change: Callable[[Encoded, Schema], Encoded] | None = None
) -> Record:
    """Trains and measures once; `change` makes other batches of those of the schema's data set.

    Raises:
        ValueError: the method has no table as small as the budget.
        SystemExit: SIGTERM came; what was trained by then is no result.
    """
    own = prepared(job.data.name, folder, job.seed)
    known = job.contender.schema(own.known)
    budget_bytes = int(job.budget * own.full_bytes)
    layout = job.contender.within(budget_bytes, job.data.dim, known)
    hashed = job.contender.schema(job.data.schema)
    is_numbered = "vocabulary" in job.contender.method.needs
    model = DCN(known if is_numbered else hashed, layout)
    recipe = dataclasses.replace(job.data.recipe, seed=job.seed)
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(job.seed)), recipe)
    data = batches(job.data.name, folder, job.seed, is_numbered)
    if change is not None:
        data = change(data, model.schema)
    started = time.monotonic()
    fitted = fit(
        learner,
        Shuffled(data["train"], size=job.data.batch, seed=job.seed),
        epochs=job.data.epochs,
        valid=data["valid"],
        patience=PATIENCE,
        most_seconds=job.data.most_seconds,
    )
    if fitted.is_stopped:
        raise SystemExit("Stopped in the middle of a run: the same command trains it again.")
    seconds = time.monotonic() - started
    embed = learner.model(fitted.state).embed
    measured = {
        **evaluate(learner, fitted.state, data["test"]),
        "valid_auc": fitted.valid["auc"],
        "epochs": fitted.step / (len(data["train"]) // job.data.batch),
        "is_capped": float(fitted.is_capped),
    }
    return job.record(
        budget_bytes=budget_bytes,
        table_bytes=embed.table_bytes,
        served_bytes=embed.served_bytes,
        full_bytes=own.full_bytes,
        train_bytes=kept_bytes(fitted.state),
        metrics={name: float(np.round(value, 6)) for name, value in measured.items()},
        examples_per_s=round(fitted.examples_per_s),
        train_seconds=round(seconds, 1),
    )


def main(sweep: Sweep) -> None:
    """Trains what is not recorded yet."""
    done = {key_of(record) for record in load(NAME)}
    number, parts = sweep.part
    if not 0 <= number < parts:
        raise SystemExit(
            f"--part wants a number below that of parts, got {number} {parts}: say 0 2."
        )
    own = itertools.islice(jobs(sweep), number, None, parts)
    wanted = [job for job in own if job.key not in done]
    with tqdm(total=len(wanted), unit=" runs") as bar:
        for job in wanted:
            told = f"{job.data.name} {job.budget:.1%} {job.contender.table} {job.contender.name}"
            if is_too_slow(job):
                bar.write(f"{told}, seed {job.seed}: the first was capped", file=sys.stderr)
                bar.update()
                continue
            try:
                record = run(job, sweep.folder)
            except ValueError as error:  # below the method's floor: its sentence says so
                bar.write(f"{told}: {error}", file=sys.stderr)
                bar.update()
                continue
            save(NAME, [record])
            metrics = record.metrics or {}
            capped = ", capped" if metrics["is_capped"] else ""
            bar.write(f"{told}, seed {job.seed}: AUC {metrics['auc']:.4f}{capped}", file=sys.stderr)
            bar.update()


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(Sweep))
