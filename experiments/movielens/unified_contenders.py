"""What `unified.py` compares: ways of storing the vectors of six features, and ways of training."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np

from recsys.data.datasets import movielens_1m
from recsys.embedding import Grouped, Layout, PerFeature, Unified
from recsys.embedding.layout import Group
from recsys.features import Batch, Schema
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.tables import Full, Hash
from recsys.training import Recipe

WIDTH = 30  # of a feature's vector as published
FEATURES = tuple(feature.name for feature in movielens_1m.SCHEMA.features)
GENDER, SMALL = ("gender",), ("gender", "age", "occupation")
MOVIE = ("movie", *SMALL)


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way of storing the vectors of the six features."""

    layout: Literal["unified", "per feature"] = "unified"
    row: int = WIDTH  # width of a row
    lookups: int = 1  # rows that make up a vector, of what is not exact
    exact: tuple[str, ...] = GENDER  # features whose values all have a row of their own

    @property
    def table(self) -> str:
        """The table's name in the registry."""
        return "full" if self.exact == FEATURES else "hash"

    @property
    def name(self) -> str:
        """How records and plots call the layout: lookups x width of a row, and what is exact."""
        size = "" if (self.lookups, self.row) == (1, WIDTH) else f", {self.lookups} x {self.row}"
        exact = "" if self.exact in (GENDER, FEATURES) else f", {self.exact[0]} exact"
        return self.layout + size + (exact if self.exact else ", nothing exact")

    def schema(self, seed: int) -> Schema:
        """The six features; a seed has hash functions of its own."""
        features = tuple(
            dataclasses.replace(
                feature,
                lookups=1 if feature.name in self.exact else self.lookups,
                space=f"{feature.name}, seed {seed}",
            )
            for feature in movielens_1m.SCHEMA.features
        )
        return dataclasses.replace(movielens_1m.SCHEMA, features=features)

    def within(self, budget_bytes: int, schema: Schema) -> Layout:
        """The layout with the largest table that fits; the schema has vocabularies."""
        shared = tuple(name for name in FEATURES if name not in self.exact)
        own = PerFeature(Full(), self.row)
        if not shared:
            return own
        table = (Unified if self.layout == "unified" else PerFeature)(Hash(), self.row)
        both = Grouped((Group(self.exact, own), Group(shared, table))) if self.exact else table
        return both.within(budget_bytes, schema)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a run is trained."""

    name: str
    recipe: Recipe
    batch: int
    epochs: int = 60  # at most
    patience: int = 2  # epochs without a better validation AUC that end it


def plain(batch: int, row_rate: float, rate: float = 1e-3, *, patience: int = 3) -> Reading:
    """The published training, nothing regularised; with rates of rows and of the network."""
    rows = RowTraining(LazyAdam(row_rate))
    return Reading("plain", Recipe(rows=rows, dense=Adam(rate)), batch, patience=patience)


def best(*, decay: float, dropout: float) -> Reading:
    """Rows decay by step, entries of vectors are dropped, and averages of the weights are used."""
    rows = RowTraining(LazyAdam(1e-2), weight_decay=decay, decay_by="step", average=0.999)
    recipe = Recipe(rows=rows, dense=Adam(1e-3, weight_decay=0.1), dropout=dropout)
    return Reading("best", recipe, 2048)


Columns = dict[str, dict[str, np.ndarray]]  # split -> column


def split_columns(data: Path, seed: int) -> Columns:
    """The clicks, by split."""
    columns = movielens_1m.clicks(movielens_1m.load(data))
    parts = movielens_1m.split(len(columns["label"]), seed)
    kept = (*FEATURES, "label")
    return {part: {name: columns[name][rows] for name in kept} for part, rows in parts.items()}


def encoded(columns: Columns, contender: Contender, seed: int) -> tuple[Schema, dict[str, Batch]]:
    """The schema of a contender and its splits: what is hashed needs no vocabulary."""
    schema, known = contender.schema(seed), {}
    if contender.exact:
        schema, known = schema.with_vocabularies(columns["train"], contender.exact)
    return schema, {part: schema.encode(own, known) for part, own in columns.items()}
