"""Two towers on published splits: at least as good as the tuned baselines?

A vector of the user's history (and of the user's id, where that helps), a vector of the item, rows
shared between the two; softmax over the catalogue or a sample of it. Published R@20 / N@20 to
compare with: MovieLens-1M in the split of UltraGCN, UltraGCN .2787 / .2642, and `baselines.py` for
EASE and iALS; Gowalla at d = 64, LightGCN .182 / .1547, SimpleX .1872 / .1557. The epoch is chosen
on validation carved from train (a tenth of each user's items); then the same number of epochs is
trained on all of train, and test is read once. Killed runs go on where they were. Records go to
`results/retrieval_towers.json`.

    RECSYS_DATA=folder python -m experiments.retrieval.towers --data ml-1m-ultragcn
    RECSYS_DATA=folder python -m experiments.retrieval.towers --data gowalla
"""

import dataclasses
import os
import sys
import time
from pathlib import Path

import tyro
from flax import nnx

from experiments.results import Record, device, load, save
from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import Interactions
from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import Tower, TwoTower
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.optim.schedules import Cosine
from recsys.parallel.memory import keep_freed_memory
from recsys.retrieval import evaluate
from recsys.retrieval.examples import Sides
from recsys.retrieval.fitting import Fitted, fit
from recsys.retrieval.user_batches import Sampling, UserBatches
from recsys.retrieval.vectors import embed
from recsys.tables import Full
from recsys.towers.pooling import Attention, Mean
from recsys.training import Learner, Recipe
from recsys.training.footprint import kept_bytes


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is trained on a data set, and how."""

    dim: int = 64
    has_id: bool = False  # the user tower adds a vector of the user's own
    is_weighted: bool = True  # history items count by a learned attention
    history: int = 256  # places in training
    targets: int = 64
    candidates: int = 3043  # of a batch
    users: int = 256  # of a batch
    temperature: float = 0.1
    rate: float = 0.01
    epochs: int = 50
    every: int = 5
    sampling: Sampling = Sampling(shift=0.2)
    dropout: float = 0.0
    average: float = 0.0  # of the weights; 0 keeps none


SETTINGS = {
    "ml-1m-ultragcn": Setting(dim=128, history=500, targets=500, epochs=50, every=10),
    "gowalla": Setting(
        has_id=True,
        is_weighted=True,
        history=64,
        targets=32,
        candidates=4096,
        users=512,
        rate=0.003,
        epochs=100,
        every=10,
        sampling=Sampling(history="all"),
    ),
}


@dataclasses.dataclass(frozen=True)
class Towers:
    """Trains two towers on published splits."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    runs: Path = Path(".cache/towers")  # where checkpoints are
    data: tuple[str, ...] = tuple(SETTINGS)
    seeds: tuple[int, ...] = (0, 1, 2)
    chooses: bool = True  # False: all epochs, without looking at validation


def spec_of(setting: Setting, data: Interactions) -> TwoTower:
    """The towers of a setting over the users and items of a data set."""
    user = (Feature("user", values=data.users),) if setting.has_id else ()
    schema = Schema(
        (
            *user,
            Feature("history", kind="bag", length=setting.history, values=data.items, space="item"),
            Feature("item", values=data.items),
        ),
        label=None,
    )
    names = tuple(feature.name for feature in schema.features[:-1])
    return TwoTower(
        schema,
        Unified(Full(), setting.dim),
        user=Tower(names, pooling=Attention() if setting.is_weighted else Mean()),
        item=Tower(("item",)),
        dim=setting.dim,
        temperature=setting.temperature,
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
    sides = Sides.of(spec, data.train)
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


def run(choice: Towers, name: str, seed: int) -> Record:
    """Chooses the epoch on validation, trains on all of train, and reads test."""
    data, setting = INTERACTIONS[name](choice.folder / name), SETTINGS[name]
    epochs, directory, valid = setting.epochs, choice.runs / f"{name}-{seed}", {}
    if choice.chooses:
        part = data.validation(seed=seed)
        chosen = train(
            setting, part, seed=seed, epochs=epochs, directory=directory / "valid", valid=part
        )[-1]
        epochs, valid = chosen.epoch, chosen.valid
        print(*chosen.history, sep="\n")
    started = time.monotonic()
    spec, sides, learner, fitted = train(
        setting, data, seed=seed, epochs=epochs, directory=directory / "whole", valid=None
    )
    seconds = time.monotonic() - started
    found = evaluate(embed(spec, fitted.state, sides), data)
    metrics = {key: round(value, 5) for key, value in found.metrics.items()}
    low, high = found.interval("recall@20")
    metrics |= {"recall@20_low": round(low, 5), "recall@20_high": round(high, 5), "epochs": epochs}
    metrics |= {f"valid_{key}": round(value, 5) for key, value in valid.items()}
    print(f"{name} seed {seed}: {metrics}, {seconds:.0f} s", flush=True)
    embedding = learner.model(fitted.state).embed
    return Record(
        experiment="retrieval_towers",
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
        split="test",
        metrics=metrics,
        train_seconds=round(seconds, 1),
        device=device(),
        command=" ".join(["python -m experiments.retrieval.towers", *sys.argv[1:]]),
    )


if __name__ == "__main__":
    chosen = tyro.cli(Towers)
    keep_freed_memory()
    done = {(r.data, r.training, r.seed) for r in load("retrieval_towers")}
    for data_name in chosen.data:
        for number in chosen.seeds:
            if (data_name, str(SETTINGS[data_name]), number) not in done:
                save("retrieval_towers", [run(chosen, data_name, number)])
