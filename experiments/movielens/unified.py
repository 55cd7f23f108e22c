"""Feature multiplexing on MovieLens-1M at fixed table bytes: as published, and as good as it gets.

Coleman et al., "Unified Embedding", NeurIPS 2023, table 1: six features, DCN-v2 with one cross
layer and 192, ratings of 3 dropped, a random 80/10/10 split. Two readings of training: `plain` is
the published one (one lookup of 30, nothing regularised), `best` adds weight decay of rows,
embedding dropout, averages of the weights, and several lookups of a narrower row in the same bytes.
The epoch is chosen on validation; `auc_test_epoch` beside it is the reading of the published
figures, whose epoch was chosen on the test split. A seed stands for split, model and order
together.

Claim: plain, one multiplexed table beats a table for each feature by 0.015 / 0.030 / 0.040 AUC at
1.6 MB / 791 kB / 158 kB; best, it loses little to the collisionless table at a tenth of its bytes.
The folder of MovieLens-1M is given by `--data`, or by the variable RECSYS_DATA. Each run is
recorded in `results/unified.json` when it ends; runs that are there are not repeated. `--jobs 2`
trains two at a time, each on one core. The whole takes some two hours of one core.

    python -m experiments.movielens.unified --jobs 2
    python -m experiments.movielens.unified --plot
"""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np
import tyro
from flax import nnx
from tqdm import tqdm

from experiments.movielens.unified_contenders import (
    FEATURES,
    MOVIE,
    SMALL,
    WIDTH,
    Contender,
    Reading,
    best,
    encoded,
    plain,
    split_columns,
)
from experiments.results import RESULTS, Record, device, identity, load, save
from recsys.data import Shuffled
from recsys.data.datasets import movielens_1m
from recsys.features import Batch
from recsys.models import DCN
from recsys.parallel.memory import keep_freed_memory
from recsys.training import Learner, State, evaluate
from recsys.training.footprint import kept_bytes

BUDGETS = (1_600_000, 791_000, 158_000, 40_000)  # bytes of float32 rows
PUBLISHED = BUDGETS[:3]
# Batch and rates, of rows and of the network, were chosen on validation, of one seed.
PLAIN = {
    None: plain(2048, 1e-2),  # of the collisionless table
    1_600_000: plain(1024, 3e-3, 3e-4),
    791_000: plain(512, 2e-3, 3e-4),
    158_000: plain(512, 1e-3),
    40_000: plain(512, 1e-3),
}
# Width of a row, decay and dropout of the best reading, chosen likewise.
BEST = {
    1_600_000: (Contender(row=10, lookups=3, exact=MOVIE), best(decay=0.2, dropout=0.2)),
    791_000: (Contender(row=8, lookups=3, exact=MOVIE), best(decay=0.2, dropout=0.1)),
    158_000: (Contender(row=4, lookups=3, exact=MOVIE), best(decay=0.1, dropout=0.05)),
    40_000: (Contender(row=2, lookups=3, exact=SMALL), best(decay=0.1, dropout=0.0)),
}
LOOKUPS = (1, 2, 3, 5)  # which divide the published width of 30 between them
MOST_SEEDS_OF_LOOKUPS = 3
SHARE_ONE_CORE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Trains every table at every budget under both readings, a seed at a time."""

    data: Path = Path(".cache")  # folder of MovieLens-1M, or the folder that holds it
    seeds: int = 5  # each of another split
    jobs: int = 1  # processes; with more than one, each keeps to one core
    only: Literal["plain", "best", "lookups"] | None = None  # one part of the comparison
    plot: bool = False  # only draw what was measured


COLLISIONLESS = Contender("per feature", exact=FEATURES)
MULTIPLEXED = Contender()
PER_FEATURE = Contender("per feature")


@dataclasses.dataclass(frozen=True)
class Run:
    """One training."""

    contender: Contender
    reading: Reading
    budget_bytes: int
    seed: int

    def record(self, **measured) -> Record:
        """What it is, and what was measured."""
        return Record(
            experiment="unified",
            data="ml-1m",
            model="dcn",
            table=self.contender.table,
            layout=self.contender.name,
            training=self.reading.name,
            budget_bytes=self.budget_bytes,
            seed=self.seed,
            split="test",
            device=device(),
            command="python -m experiments.movielens.unified",
            **measured,
        )


def runs(settings: Comparison) -> Iterator[Run]:
    """All runs, seed by seed, the published comparison first."""
    parts = {
        "plain": [
            (COLLISIONLESS, PLAIN[None], BUDGETS[0]),
            *((own, PLAIN[size], size) for size in PUBLISHED for own in (MULTIPLEXED, PER_FEATURE)),
            (MULTIPLEXED, PLAIN[BUDGETS[-1]], BUDGETS[-1]),
        ],
        "best": [
            *((*BEST[size], size) for size in BUDGETS[::-1]),
            (COLLISIONLESS, best(decay=0.2, dropout=0.2), BUDGETS[0]),
        ],
        "lookups": [
            (Contender(row=WIDTH // own, lookups=own), best(decay=0.1, dropout=0.05), BUDGETS[2])
            for own in LOOKUPS
        ],
    }
    for seed in range(settings.seeds):
        for part in parts if settings.only is None else (settings.only,):
            if part == "lookups" and seed >= MOST_SEEDS_OF_LOOKUPS:
                continue
            for contender, reading, budget_bytes in parts[part]:
                yield Run(contender, reading, budget_bytes, seed)


def measure(settings: Comparison) -> None:
    """Trains what is not recorded yet."""
    done = {identity(record)[:10] for record in load("unified")}
    wanted = dict.fromkeys(run for run in runs(settings) if identity(run.record())[:10] not in done)
    train = functools.partial(trained, settings.data)
    with tqdm(total=len(wanted), unit=" runs") as bar:
        for record in _each(train, list(wanted), settings.jobs):
            save("unified", [record])
            auc = (record.metrics or {})["auc"]
            bar.write(f"{record.training} {record.layout} of {record.table_bytes or 0:,} bytes, "
                      f"seed {record.seed}: AUC {auc:.4f}", file=sys.stderr)  # fmt: skip
            bar.update()


def _each(train: Callable[[Run], Record], wanted: list[Run], jobs: int) -> Iterable[Record]:
    if jobs == 1:
        return map(train, wanted)
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {SHARE_ONE_CORE}"
    pool = concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    futures = [pool.submit(train, run) for run in wanted]
    return (future.result() for future in concurrent.futures.as_completed(futures))


_split_columns = functools.lru_cache(maxsize=1)(split_columns)


def trained(data: Path, run: Run) -> Record:
    """Trains and measures once."""
    columns = _split_columns(data, run.seed)
    schema, parts = encoded(columns, run.contender, run.seed)
    known, _ = movielens_1m.SCHEMA.with_vocabularies(columns["train"])  # sizes per-feature tables
    model = DCN(schema, run.contender.within(run.budget_bytes, known))
    recipe = dataclasses.replace(run.reading.recipe, seed=run.seed)
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(run.seed)), recipe)
    started = time.monotonic()
    curve = [epoch.metrics for epoch in learning_curve(learner, parts, run.reading, run.seed)]
    chosen = max(range(len(curve)), key=lambda epoch: curve[epoch]["valid_auc"])
    embed = model.build(rngs=nnx.Rngs(0)).embed
    return run.record(
        table_bytes=embed.table_bytes,
        served_bytes=embed.served_bytes,
        train_bytes=kept_bytes(jax.eval_shape(learner.fresh)),
        metrics={
            **curve[chosen],
            "epoch": chosen + 1,
            "auc_test_epoch": max(epoch["auc"] for epoch in curve),
        },
        train_seconds=round(time.monotonic() - started, 1),
    )


class Epoch(NamedTuple):
    """What an epoch of training came to."""

    state: State  # given to the next epoch, so to be read before that
    metrics: dict[str, float]


def learning_curve(
    learner: Learner, parts: dict[str, Batch], reading: Reading, seed: int
) -> Iterator[Epoch]:
    """The state and its metrics after each epoch, until validation stops getting better.

    Only the published reading wants the test split after each epoch: nothing here is chosen by it.
    """
    loader, state = Shuffled(parts["train"], size=reading.batch, seed=seed), learner.start()
    highest, stale = -np.inf, 0
    for epoch in range(reading.epochs):
        for step in range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch):
            state, _ = learner.step(state, loader.batch(step))
        valid = evaluate(learner, state, parts["valid"])["auc"]
        yield Epoch(state, {**evaluate(learner, state, parts["test"]), "valid_auc": valid})
        highest, stale = (valid, 0) if valid > highest else (highest, stale + 1)
        if stale == reading.patience:
            return


def draw(path: Path) -> None:
    """AUC against bytes under both readings, with the spread over seeds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    lines: dict[tuple[str, str], dict[int, list[float]]] = {}
    chosen = {contender.name for contender, _ in BEST.values()}
    shown = {"plain": {"unified", "per feature"}, "best": chosen}
    for record in load("unified"):
        if record.table == "full":
            name = "collisionless"
        elif record.layout in shown[record.training or ""]:
            name = (record.layout or "").partition(",")[0]
        else:
            continue
        by_size = lines.setdefault((record.training or "", name), {})
        by_size.setdefault(record.budget_bytes or 0, []).append((record.metrics or {})["auc"])
    for (training, name), by_size in sorted(lines.items()):
        sizes = sorted(by_size)
        mean = [float(np.mean(by_size[size])) for size in sizes]
        spread = [float(np.std(by_size[size], ddof=len(by_size[size]) > 1)) for size in sizes]
        if name == "collisionless":
            axes.axhline(mean[0], color="0.4" if training == "plain" else "0.1", linewidth=0.8)
            axes.annotate(
                f"{name}, {training}", (BUDGETS[-1] / 1e3, mean[0]), va="bottom", fontsize=8
            )
            continue
        style = "--" if training == "plain" else "-"
        axes.errorbar([size / 1e3 for size in sizes], mean, yerr=spread, marker="o", markersize=4,
                      capsize=2, linestyle=style, label=f"{name}, {training}")  # fmt: skip
    axes.set(xscale="log", xlabel="table bytes (kB)", ylabel="test AUC")
    axes.set_title("MovieLens-1M clicks: mean and spread over seeds")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    folder = Path(os.environ.get("RECSYS_DATA", ".cache"))
    choice = tyro.cli(Comparison, default=Comparison(data=folder))
    keep_freed_memory()
    if not choice.plot:
        measure(choice)
    draw(RESULTS / "unified.png")
