"""The data sets of the compression benchmark: columns by split, a schema, and a recipe of training.

Recipes were chosen on validation for the full table, and every method trains with the same one.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys.data.datasets import frappe, movielens_1m, planted
from recsys.features import Schema
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.training import Recipe

Columns = dict[str, np.ndarray]
Splits = dict[str, Columns]  # train, valid, test


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Where examples come from, and how a model learns from them."""

    name: str  # as records call it
    load: Callable[[Path, int], Splits]  # folder and seed of the split -> columns
    schema: Schema
    dim: int  # width of a value's vector
    recipe: Recipe
    batch: int
    epochs: int  # at most; two without a better validation AUC end a run
    most_seconds: float  # of training, after which a run is capped
    budgets: tuple[float, ...]  # of the whole sweep, as shares of the full table's bytes
    seeds: tuple[int, ...] = (0,)  # of it
    once: tuple[float, ...] = ()  # budgets that only the first of them runs
    tables: tuple[str, ...] = ()  # methods in it, by registry name; none is all


def _recipe(*, decay: float, dropout: float) -> Recipe:
    rows = RowTraining(LazyAdam(1e-2), weight_decay=decay, decay_by="step", average=0.999)
    return Recipe(rows=rows, dense=Adam(1e-3, weight_decay=0.1), dropout=dropout)


def _movielens(folder: Path, seed: int) -> Splits:
    columns = movielens_1m.clicks(movielens_1m.load(folder))
    return _dealt(columns, movielens_1m.split(len(columns["label"]), seed))


def _crossed(folder: Path, seed: int) -> Splits:
    wanted = {"label", *(name for f in movielens_1m.crossed().features for name in f.columns)}
    columns = movielens_1m.clicks(movielens_1m.load(folder))
    kept = {name: column for name, column in columns.items() if name in wanted}
    return _dealt(kept, movielens_1m.split(len(kept["label"]), seed))


def _frappe(folder: Path, seed: int) -> Splits:
    columns = frappe.load(folder)
    return _dealt(columns, frappe.split(len(columns["label"]), seed))


def _planted(folder: Path, seed: int) -> Splits:
    del folder  # it is generated
    columns = planted.generate().columns
    return _dealt(columns, planted.split(len(columns["label"]), seed))


def _dealt(columns: Columns, parts: dict[str, np.ndarray]) -> Splits:
    return {
        part: {name: column[rows] for name, column in columns.items()}
        for part, rows in parts.items()
    }


DATA_SETS: dict[str, DataSet] = {
    own.name: own
    for own in (
        DataSet(
            "ml-1m",
            _movielens,
            movielens_1m.SCHEMA,
            dim=30,
            recipe=_recipe(decay=0.2, dropout=0.1),
            batch=2048,
            epochs=40,
            most_seconds=600.0,
            budgets=(0.1, 0.025),
            tables=("alpt", "cafe", "frequency", "int4", "int8", "multihash", "qr"),  # 40 epochs
        ),
        DataSet(
            "ml-1m-crossed",
            _crossed,
            movielens_1m.crossed(),
            dim=16,
            recipe=_recipe(decay=0.1, dropout=0.2),
            batch=2048,
            epochs=20,
            most_seconds=300.0,
            budgets=(0.1, 0.05, 0.01, 0.001),
            seeds=(0, 1, 2),
            once=(0.001,),
        ),
        DataSet(
            "frappe",
            _frappe,
            frappe.SCHEMA,
            dim=16,
            recipe=_recipe(decay=0.1, dropout=0.1),
            batch=1024,
            epochs=40,
            most_seconds=180.0,
            budgets=(0.1,),
        ),
        DataSet(
            "planted",
            _planted,
            planted.SCHEMA,
            dim=16,
            recipe=_recipe(decay=0.1, dropout=0.1),
            batch=2048,
            epochs=20,
            most_seconds=300.0,
            budgets=(0.1, 0.05, 0.01, 0.001),
        ),
    )
}
