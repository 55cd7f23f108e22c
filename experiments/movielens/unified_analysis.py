"""Why multiplexing works, on MovieLens-1M: weights of features turn orthogonal, collisions fade.

Coleman et al., "Unified Embedding", NeurIPS 2023, section 4.2. Three measurements:

- `linear`: logistic regression over a multiplexed table, logit = sum over features t of
  <theta_t, e(x_t)>, where all theta_t start as one vector (the worst case). What other features
  write to a row is in their directions, so it costs nothing once the directions are orthogonal.
  Claim: the smaller the table, the further from each other they turn.
- `dcn`: the same in the ranker of `unified.py`. The share ||A B'|| / (||A|| ||B||) of two features'
  weights in its first dense layer is 1/sqrt(30) = 0.18 for independent ones.
- `spread`: the inner product of an example with known weights of values, read from a hashed sketch
  of them: its standard deviation over hash functions at fixed rows (as in proposition 4.2).
  Claim: with orthogonal directions one table spreads less than a table for each feature; with one
  direction for all it spreads as much or more.

Records go to `results/unified_analysis.json`, plots to `unified_angles.png` and
`unified_spread.png`; some twenty minutes of one core.

    python -m experiments.movielens.unified_analysis
    python -m experiments.movielens.unified_analysis --plot
"""

import dataclasses
import itertools
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx
from jaxtyping import Array, Float

from experiments.movielens.unified import learning_curve
from experiments.movielens.unified_contenders import (
    FEATURES,
    WIDTH,
    Columns,
    Contender,
    encoded,
    plain,
    split_columns,
)
from experiments.results import RESULTS, Record, device, identity, load, save
from recsys.embedding import Embedding, Unified
from recsys.embedding.multiplexer import Vectors
from recsys.features import Batch, Schema
from recsys.features.hashing import bucket, fingerprint, salt, split
from recsys.losses import LogLoss
from recsys.models import DCN
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import Hash
from recsys.tables.base import Context
from recsys.training import Learner

ROWS = (26_400, 13_200, 6_600, 3_300, 1_320, 660, 330)  # the six features have 13,200 values
ALL = Contender(exact=())  # every feature in the one table
TRAINING = plain(1024, 3e-3)
EPOCHS = 8  # of the linear model
HASHES = 64  # hash functions that the spread is taken over


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Measures angles in two models, and the spread of a sketch."""

    data: Path = Path(".cache")  # folder of MovieLens-1M, or the folder that holds it
    seeds: int = 3
    plot: bool = False  # only draw what was measured


class Linear(nnx.Module):
    """Logistic regression over vectors; every feature starts with the same weights."""

    def __init__(self, schema: Schema, rows: int, *, rngs: nnx.Rngs):
        self.embed = Embedding(schema, Unified(Hash(rows), WIDTH), rngs=rngs)
        one = nnx.initializers.normal(WIDTH**-0.5)(rngs.params(), (1, WIDTH))
        self.weight = nnx.Param(jnp.tile(one, (len(schema.categorical), 1)))
        self.bias = nnx.Param(jnp.zeros(()))

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        x = vectors.concatenated()
        return x @ self.weight[...].reshape(-1) + self.bias[...]

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        return LogLoss()(self(vectors, batch), batch.label, batch.weight)


def measure(settings: Analysis) -> None:
    """Everything that is not recorded yet, the sketch first."""
    done = {identity(record)[:10] for record in load("unified_analysis")}
    for seed in range(settings.seeds):
        columns = split_columns(settings.data, seed)
        for rows in ROWS:
            for kind in ("spread", "linear", "dcn"):
                blank = _record(kind, rows, seed, {})
                if identity(blank)[:10] in done or (kind == "dcn" and seed > 0):
                    continue
                measured = MEASURES[kind](columns, rows, seed)
                save("unified_analysis", [dataclasses.replace(blank, metrics=measured)])
                print(f"{kind:6} {rows:6,} rows, seed {seed}: {measured}", file=sys.stderr)


def linear(columns: Columns, rows: int, seed: int) -> dict[str, float]:
    """Angles between the features' weights in the linear model, and the rows' mean square."""
    schema, parts = encoded(columns, ALL, seed)
    reading = dataclasses.replace(TRAINING, epochs=EPOCHS, patience=EPOCHS)
    learner = Learner(
        lambda: Linear(schema, rows, rngs=nnx.Rngs(seed)),
        dataclasses.replace(TRAINING.recipe, seed=seed),
    )
    *_, (state, metrics) = learning_curve(learner, parts, reading, seed)
    model = learner.model(state)
    table = model.embed.tables["unified"].freeze().rows["weight"][...]
    angles = np.degrees(np.arccos(_cosines(np.asarray(model.weight[...]))))
    return {
        "auc": metrics["auc"],
        "angle": float(angles.mean()),
        "smallest_angle": float(angles.min()),
        "row_norm2": float(jnp.mean(jnp.sum(table * table, axis=1))),
    }


def dcn(columns: Columns, rows: int, seed: int) -> dict[str, float]:
    """The shared part of features' weights in the first dense layer of the ranker."""
    schema, parts = encoded(columns, ALL, seed)
    model = DCN(schema, Unified(Hash(rows), WIDTH))
    learner = Learner(
        lambda: model.build(rngs=nnx.Rngs(seed)), dataclasses.replace(TRAINING.recipe, seed=seed)
    )
    *_, (state, metrics) = learning_curve(learner, parts, TRAINING, seed)
    built = learner.model(state)
    kernel = np.asarray(built.deep.layers[0].kernel[...])
    weights = kernel.reshape(len(FEATURES), WIDTH, -1).transpose(0, 2, 1)
    norms = [np.linalg.norm(own) for own in weights]
    shared = [
        np.linalg.norm(weights[a] @ weights[b].T) / (norms[a] * norms[b])
        for a, b in itertools.combinations(range(len(weights)), 2)
    ]
    table = built.embed.tables["unified"].freeze().rows["weight"][...]
    return {
        "auc": metrics["auc"],
        "shared": float(np.mean(shared)),
        "row_norm2": float(jnp.mean(jnp.sum(table * table, axis=1))),
    }


def spread(columns: Columns, rows: int, seed: int) -> dict[str, float]:
    """The standard deviation of an example's sketched logit over hash functions, three ways."""
    values = {name: np.unique(columns["train"][name], return_inverse=True) for name in FEATURES}
    weights = {n: _log_odds(at, columns["train"]["label"]) for n, (_, at) in values.items()}
    total = sum(map(len, weights.values()))
    examples = np.random.default_rng(seed).integers(len(columns["train"]["label"]), size=2_000)
    own_rows = {n: max(1, rows * len(w) // total) for n, w in weights.items()}
    estimates: dict[str, list] = {"per_feature": [], "orthogonal": [], "one_direction": []}
    for number in range(HASHES):
        place = {
            name: np.asarray(bucket(*split(fingerprint(known)), _salt(name, number, seed), rows))
            for name, (known, _) in values.items()
        }
        ways = {
            "per_feature": {n: place[n] * own_rows[n] // rows for n in FEATURES},
            "orthogonal": place,
            "one_direction": place,
        }
        for way, at in ways.items():
            read = _sketched(weights, at, rows, is_shared=way == "one_direction")
            logit = sum(read[name][values[name][1][examples]] for name in FEATURES)
            estimates[way].append(logit)
    return {way: float(np.mean(np.std(own, axis=0, ddof=1))) for way, own in estimates.items()}


def _sketched(
    weights: Mapping[str, np.ndarray],
    place: Mapping[str, np.ndarray],
    rows: int,
    *,
    is_shared: bool,
) -> dict[str, np.ndarray]:
    """What each value reads from rows that hold the sum of the weights of all that hash to them.

    Features with orthogonal directions read their own weights only, so each has a sum of its own;
    in one direction they read those of all.
    """
    own = {name: np.bincount(place[name], weight, rows) for name, weight in weights.items()}
    of_all = np.stack([*own.values()]).sum(axis=0)
    return {name: (of_all if is_shared else own[name])[place[name]] for name in weights}


def _salt(name: str, number: int, seed: int) -> int:
    return salt(f"{name}, seed {seed}", number)


def _log_odds(value: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The weight of each value in a model of its own: smoothed log-odds, centred."""
    clicks, seen, share = np.bincount(value, label), np.bincount(value), label.mean()
    odds = np.log((clicks + share) / (seen - clicks + 1 - share))
    return odds - odds.mean()


def _cosines(weights: np.ndarray) -> np.ndarray:
    unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(unit), 1)].clip(-1, 1)


Kind = Literal["linear", "dcn", "spread"]
MEASURES = {"linear": linear, "dcn": dcn, "spread": spread}


def _record(kind: Kind, rows: int, seed: int, metrics: Mapping[str, float]) -> Record:
    return Record(
        experiment="unified_analysis",
        data="ml-1m",
        model=kind,
        table="hash",
        layout="unified",
        budget_bytes=4 * WIDTH * rows,
        seed=seed,
        split="train" if kind == "spread" else "test",
        metrics=metrics,
        device=device(),
        command="python -m experiments.movielens.unified_analysis",
    )


def draw(folder: Path) -> None:
    """Angles and shares against rows; the spread against rows."""
    import matplotlib.pyplot as plt

    def line(axes, kind: Kind, metric: str, label: str, color: str) -> None:
        by_rows: dict[float, list[float]] = {}
        for record in load("unified_analysis"):
            if record.model == kind and record.metrics:
                at = (record.budget_bytes or 0) / (4 * WIDTH)
                by_rows.setdefault(at, []).append(record.metrics[metric])
        rows = sorted(by_rows)
        mean = [float(np.mean(by_rows[r])) for r in rows]
        bars = [float(np.std(by_rows[r], ddof=len(by_rows[r]) > 1)) for r in rows]
        axes.errorbar(rows, mean, yerr=bars, marker="o", markersize=4, capsize=2, label=label,
                      color=color)  # fmt: skip

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    line(left, "linear", "angle", "mean of all pairs", "C0")
    line(left, "linear", "smallest_angle", "smallest", "C1")
    left.set(ylabel="angle between features' weights (degrees)", title="Linear model, from 0")
    left.legend(fontsize=8)
    line(right, "dcn", "shared", "", "C0")
    right.axhline(WIDTH**-0.5, color="0.6", linewidth=0.8)
    right.set(ylabel="shared part of features' weights", title="First dense layer of DCN-v2")
    for axes in (left, right):
        axes.set(xscale="log", xlabel="rows of the table")
    figure.savefig(folder / "unified_angles.png", dpi=130)

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for number, (way, label) in enumerate((
        ("one_direction", "one table, one direction"),
        ("per_feature", "a table for each feature"),
        ("orthogonal", "one table, orthogonal directions"),
    )):  # fmt: skip
        line(axes, "spread", way, label, f"C{number}")
    axes.set(xscale="log", yscale="log", title="A logit from a hashed sketch")
    axes.set(xlabel="rows, all tables together", ylabel="standard deviation of the logit")
    axes.legend(fontsize=8)
    figure.savefig(folder / "unified_spread.png", dpi=130)


if __name__ == "__main__":
    data = Path(os.environ.get("RECSYS_DATA", ".cache"))
    choice = tyro.cli(Analysis, default=Analysis(data=data))
    keep_freed_memory()
    if not choice.plot:
        measure(choice)
    draw(RESULTS)
