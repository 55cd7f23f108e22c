"""Two towers on published splits: at least as good as the tuned baselines?

A vector of the user's history (and of the user's id, where that helps), a vector of the item, rows
shared between the two; softmax or cosine contrastive over the catalogue or a sample of it.
Published R@20 / N@20 to compare with: MovieLens-1M in the split of UltraGCN, UltraGCN .2787 /
.2642, and `baselines.py` for EASE and iALS; Gowalla at d = 64, LightGCN .182 / .1547, SimpleX .1872
/ .1557. Settings were chosen on validation carved from train (`validation.py`, `--lengths`;
`LOG.md` has what was tried), but those of the split by time not at all. A schedule is trained to
its end on all of train, and test is read once. Killed runs go on where they were. Records go to
`results/retrieval_towers.json`.

    RECSYS_DATA=folder python -m experiments.retrieval.towers --data ml-1m-ultragcn
    RECSYS_DATA=folder python -m experiments.retrieval.towers --data gowalla
    RECSYS_DATA=folder python -m experiments.retrieval.towers --seeds 0 --lengths 8 16 32
"""

import dataclasses
import functools
import os
import sys
import time
from pathlib import Path

import numpy as np
import tyro
from flax import nnx

from experiments.results import Record, device, load, save
from experiments.retrieval.metrics import metrics_of
from experiments.retrieval.validation import validation
from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import Interactions
from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.losses import CosineContrastive, Softmax
from recsys.models import Tower, TwoTower
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.optim.schedules import Cosine
from recsys.parallel.memory import keep_freed_memory
from recsys.retrieval import evaluate
from recsys.retrieval.examples import Sides, item_schema
from recsys.retrieval.fitting import Fitted, fit
from recsys.retrieval.known import Rows
from recsys.retrieval.neighbours import rows_of
from recsys.retrieval.side_rows import side_rows
from recsys.retrieval.user_batches import Sampling, UserBatches
from recsys.retrieval.vectors import embed
from recsys.tables import Full
from recsys.towers.pooling import Attention, MeanDirection, Sum
from recsys.training import Learner, Recipe
from recsys.training.footprint import kept_bytes


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is trained on a data set, and how."""

    dim: int = 64
    has_id: bool = False  # the user tower adds a vector of the user's own
    pooling: Attention | MeanDirection = Attention()  # of the history
    neighbours: int = 0  # of each item, read by the item tower
    history: int = 256  # places in training
    targets: int = 64
    candidates: int = 3043  # of a batch
    users: int = 256  # of a batch
    temperature: float = 0.1
    rate: float = 0.01
    epochs: int = 50  # of the schedule, all of which are trained
    every: int = 5  # epochs between checkpoints
    sampling: Sampling = Sampling(shift=0.2)
    loss: Softmax | CosineContrastive = Softmax()
    dropout: float = 0.0
    average: float = 0.0  # of the weights; 0 keeps none


NAME = "retrieval_towers"
WHOLE = Setting(dim=128, history=500, targets=500, epochs=50, every=10)  # users read whole
SETTINGS = {
    "ml-1m-ultragcn": WHOLE,
    "ml-1m-time": dataclasses.replace(WHOLE, dim=64, history=256, targets=128, epochs=30),
    "gowalla": Setting(
        pooling=MeanDirection(),
        history=48,
        targets=4,
        candidates=2048,
        users=128,
        temperature=1.0,
        rate=0.003,
        epochs=60,
        every=10,
        sampling=Sampling(history="all", turns="all", weight=0.0, shift=1.0),
        loss=CosineContrastive(margin=0.8, weight=150.0, slack=0.01),
    ),
    "amazon-beauty": Setting(
        neighbours=10,
        history=64,
        targets=32,
        candidates=4096,
        users=512,
        epochs=12,
        every=4,
        sampling=Sampling(shift=0.1),
    ),
}


@dataclasses.dataclass(frozen=True)
class Towers:
    """Trains two towers on published splits."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    runs: Path = Path(".cache/towers")  # where checkpoints are
    data: tuple[str, ...] = tuple(SETTINGS)
    seeds: tuple[int, ...] = (0, 1, 2)
    lengths: tuple[int, ...] = ()  # of schedules, in epochs: compares them on validation instead


def spec_of(setting: Setting, data: Interactions) -> TwoTower:
    """The towers of a setting over the users and items of a data set."""
    user = (Feature("user", values=data.users),) if setting.has_id else ()
    rows = _neighbours(setting, data)
    beside = () if rows is None else rows.schema.features
    schema = Schema(
        (
            *user,
            Feature("history", kind="bag", length=setting.history, values=data.items, space="item"),
            Feature("item", values=data.items),
            *beside,
        ),
        label=None,
    )
    return TwoTower(
        schema,
        Unified(Full(), setting.dim),
        user=Tower(
            (*(f.name for f in user), "history"),
            pooling=setting.pooling,
        ),
        item=Tower(("item", *(f.name for f in beside)), pooling=Sum()),
        dim=setting.dim,
        temperature=setting.temperature,
        loss=setting.loss,
        targets=setting.targets,
        candidates=-(-setting.candidates // setting.users),
        in_batch=False,
        is_counted=True,
    )


def train(
    setting: Setting,
    data: Interactions,
    *,
    seed: int,
    epochs: int,
    directory: Path | None,
    valid: Interactions | None,
    spec: TwoTower | None = None,
) -> tuple[TwoTower, Sides, Learner, Fitted]:
    """Some epochs of a schedule that is as long as the setting says; `spec` for other tables."""
    spec = spec or spec_of(setting, data)
    everyone = np.ones(data.items, bool)
    items = side_rows(item_schema(spec), _neighbours(setting, data), "item", everyone)
    sides = Sides.of(spec, data.train, items)
    batches = UserBatches(sides, size=setting.users, seed=seed, sampling=setting.sampling)
    steps = setting.epochs * batches.steps_per_epoch
    recipe = Recipe(
        rows=RowTraining(LazyAdam(setting.rate), average=setting.average),
        dense=Adam(setting.rate),
        schedule=Cosine(steps),
        warmup=max(1, steps // 20),
        dropout=setting.dropout,
        seed=seed,
    )
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(seed)), recipe)
    fitted = fit(
        learner,
        batches,
        epochs=epochs,
        valid=valid,
        every=setting.every,
        directory=directory,
    )
    return spec, sides, learner, fitted


@functools.lru_cache(maxsize=2)
def _neighbours(setting: Setting, data: Interactions) -> Rows | None:
    return rows_of(data.train, setting.neighbours) if setting.neighbours else None


def run(choice: Towers, name: str, setting: Setting, seed: int, *, split: str) -> Record:
    """Trains a whole schedule on train, and reads test; or on part of it, and reads the rest."""
    if split == "validation":
        data = validation(name, choice.folder, seed=seed)
    else:
        data = INTERACTIONS[name](choice.folder / name)
    directory = choice.runs / f"{name}-{split}-{setting.epochs}-{seed}"
    started = time.monotonic()
    spec, sides, learner, fitted = train(
        setting, data, seed=seed, epochs=setting.epochs, directory=directory, valid=None
    )
    seconds = time.monotonic() - started
    vectors = embed(spec, fitted.state, sides, history=max(256, setting.history))
    found = evaluate(vectors, data)
    metrics = metrics_of(found)
    print(f"{name}, {split}, seed {seed}: {metrics}, {seconds:.0f} s", flush=True)
    embedding = learner.model(fitted.state).embed
    return Record(
        experiment=NAME,
        data=name,
        model="two_tower",
        table="full",
        layout="unified",
        training=str(setting),
        table_bytes=embedding.table_bytes,
        served_bytes=embedding.served_bytes,
        full_bytes=embedding.table_bytes,
        train_bytes=kept_bytes(fitted.state),
        seed=seed,
        split=split,
        metrics=metrics,
        train_seconds=round(seconds, 1),
        device=device(),
        command=" ".join(["python -m experiments.retrieval.towers", *sys.argv[1:]]),
    )


def main(choice: Towers) -> None:
    """Trains what is not recorded yet."""
    done = {(r.data, r.training, r.seed, r.split) for r in load(NAME)}
    for name in choice.data:
        split = "validation" if choice.lengths else "test"
        for seed in choice.seeds:
            for epochs in choice.lengths or (SETTINGS[name].epochs,):
                setting = dataclasses.replace(SETTINGS[name], epochs=epochs)
                if (name, str(setting), seed, split) not in done:
                    save(NAME, [run(choice, name, setting, seed, split=split)])


if __name__ == "__main__":
    keep_freed_memory()
    main(tyro.cli(Towers))
