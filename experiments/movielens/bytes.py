"""Click AUC against table bytes on MovieLens-100K: how much table does a small catalogue need?

One schema (user, movie, gender, age, occupation, zip), one ranker (DCN-v2, a cross layer and 192),
one recipe; only the table changes. The epoch is chosen on validation, the test split is read once a
run. Claim: at equal bytes a multiplexed table beats a table for each feature, and two half-width
lookups beat one. The data set is small (7,286 test clicks), so differences below the spread over
seeds mean nothing. Records go to `results/bytes.json`; half an hour on one core. With
`--plot` it only draws `results/bytes.png` from them.

    python -m experiments.movielens.bytes
    python -m experiments.movielens.bytes --plot
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import tyro
from flax import nnx

from experiments.results import RESULTS, Record, device, load, save
from recsys.data import Shuffled
from recsys.data.datasets import movielens_100k
from recsys.embedding import Embedding, Layout, PerFeature, Unified
from recsys.features import Batch, Feature, Schema
from recsys.models import DCN
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import CAFE, DPQ, INT8, MDE, Full, Hash
from recsys.training import Learner, Recipe
from recsys.training.evaluation import evaluate
from recsys.training.footprint import kept_bytes
from recsys.training.loop import fit

FEATURES = ("user", "movie", "gender", "age", "occupation", "zip")
WIDTH = 16  # of a feature's vector
RECIPE = Recipe(rows=RowTraining(LazyAdam(3e-3)), dense=Adam(3e-3), dropout=0.2)


@dataclasses.dataclass(frozen=True)
class Bytes:
    """Trains every table at every budget it reaches."""

    data: Path = Path(".cache")  # where MovieLens-100K is, or may be put
    budgets: tuple[float, ...] = (0.25, 0.1, 0.05, 0.02)  # of the full table's bytes
    seeds: int = 3  # of model, split and order together
    epochs: int = 20  # at most; three without a better validation AUC end a run
    plot: bool = False  # only draw what was measured


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way of storing the same vectors."""

    name: str  # of the table in the registry
    layout: Layout
    lookups: int = 1

    @property
    def layout_name(self) -> str:
        """How the records and the plot call the layout."""
        name = "unified" if isinstance(self.layout, Unified) else "per feature"
        return name if self.lookups == 1 else f"{name}, {self.lookups} lookups"


CONTENDERS = (
    Contender("hash", PerFeature(Hash(), WIDTH)),
    Contender("hash", Unified(Hash(), WIDTH)),
    Contender("hash", Unified(Hash(), WIDTH // 2), lookups=2),
    Contender("int8", Unified(INT8(of=Hash()), WIDTH // 2), lookups=2),
    Contender("mde", Unified(MDE(), WIDTH)),
    Contender("dpq", Unified(DPQ(), WIDTH)),
    Contender("cafe", Unified(CAFE(), WIDTH)),
)


def measure(settings: Bytes) -> list[Record]:
    """One record a run."""
    columns = movielens_100k.clicks(movielens_100k.load(movielens_100k.fetch(settings.data)))
    records = []
    for seed in range(settings.seeds):
        parts = movielens_100k.split(len(columns["label"]), seed)
        split = {name: {c: columns[c][rows] for c in columns} for name, rows in parts.items()}
        full_bytes = _embedding(
            split["train"], Contender("full", Unified(Full(), WIDTH))
        ).table_bytes
        jobs = [(Contender("full", Unified(Full(), WIDTH)), 1.0)]
        jobs += [(contender, budget) for budget in settings.budgets for contender in CONTENDERS]
        for contender, budget in jobs:
            try:
                record = _run(contender, split, int(budget * full_bytes), settings.epochs, seed)
            except ValueError as error:  # below the method's floor: its sentence says so
                print(f"{contender.name} at {budget:.0%}: {error}")
                continue
            records.append(dataclasses.replace(record, budget=budget, full_bytes=full_bytes))
            print(f"seed {seed}  {budget:4.0%}  {contender.name:5} {contender.layout_name:18} "
                  f"{record.table_bytes:>8,} bytes  {record.metrics}")  # fmt: skip
            save("bytes", records)
    return records


def _schema(train: dict[str, np.ndarray], lookups: int):
    features = tuple(Feature(name, lookups=lookups) for name in FEATURES)
    return Schema(features).with_vocabularies(train)


def _embedding(train: dict[str, np.ndarray], contender: Contender) -> Embedding:
    schema, _ = _schema(train, contender.lookups)
    return nnx.eval_shape(lambda: Embedding(schema, contender.layout, rngs=nnx.Rngs(0)))


def _run(contender: Contender, split: dict, budget_bytes: int, epochs: int, seed: int) -> Record:
    schema, vocabularies = _schema(split["train"], contender.lookups)
    layout = contender.layout.within(budget_bytes, schema)
    data: dict[str, Batch] = {name: schema.encode(p, vocabularies) for name, p in split.items()}
    recipe = dataclasses.replace(RECIPE, seed=seed)
    model = DCN(schema, layout)
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(seed)), recipe)
    loader = Shuffled(data["train"], size=1024, seed=seed)
    started = time.monotonic()
    fitted = fit(learner, loader, epochs=epochs, valid=data["valid"], patience=3)
    if fitted.is_stopped:
        raise SystemExit("Stopped in the middle of a run: the same command trains it again.")
    seconds = time.monotonic() - started
    embed = learner.model(fitted.state).embed
    return Record(
        experiment="bytes",
        data="ml-100k",
        model="dcn",
        table=contender.name,
        layout=contender.layout_name,
        training="lazy adam 3e-3, dropout 0.2",
        budget_bytes=budget_bytes,
        table_bytes=embed.table_bytes,
        served_bytes=embed.served_bytes,
        train_bytes=kept_bytes(fitted.state),
        seed=seed,
        split="test",
        metrics=evaluate(learner, fitted.state, data["test"]),
        examples_per_s=round(fitted.examples_per_s),
        train_seconds=round(seconds, 1),
        device=device(),
        command=" ".join(["python -m experiments.movielens.bytes", *sys.argv[1:]]),
    )


def draw(path: Path) -> None:
    """AUC against bytes, a line a table, with the spread over seeds."""
    import matplotlib.pyplot as plt

    records = load("bytes")
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    groups: dict[tuple, dict[float, list[Record]]] = {}
    for record in records:
        by_budget = groups.setdefault((record.table, record.layout), {})
        by_budget.setdefault(record.budget or 1.0, []).append(record)
    for (table, layout), by_budget in groups.items():
        size = [np.mean([r.table_bytes or 0 for r in own]) / 1e3 for own in by_budget.values()]
        auc = [[(r.metrics or {})["auc"] for r in own] for own in by_budget.values()]
        mean = [float(np.mean(own)) for own in auc]
        spread = [float(np.std(own, ddof=1)) for own in auc]
        if table == "full":
            axes.axhspan(mean[0] - spread[0], mean[0] + spread[0], color="0.9")
            axes.axhline(mean[0], color="0.4", label=f"full, {size[0]:,.0f} kB")
            continue
        label = f"{table}, {layout}"
        axes.errorbar(size, mean, yerr=spread, marker="o", markersize=4, capsize=2, label=label)
    axes.set(xscale="log", xlabel="table bytes as saved (kB)", ylabel="test AUC")
    axes.set_title("MovieLens-100K clicks: mean and spread over seeds")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    choice = tyro.cli(Bytes)
    keep_freed_memory()
    if not choice.plot:
        measure(choice)
    draw(RESULTS / "bytes.png")
