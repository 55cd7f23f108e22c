"""Rows of fewer bits on MovieLens-1M: INT8 and ALPT are as good as float32 rows, in training too.

One collisionless table of 16 numbers a value for all six features, DCN-v2 with one cross layer and
192, ratings of 3 dropped, a random 80/10/10 split, the epoch chosen on validation and the test
split read for it. A seed stands for split, model and order together, so that methods of one seed
compare. Claim: no storage of 8 bits or more loses more than 0.001 AUC to float32 rows. The folder
of MovieLens-1M is given by `--data`, or by the variable RECSYS_DATA. Records go to
`results/integers.json`, and runs that are there are not repeated; some ten minutes on one core.

    python -m experiments.movielens.integers
"""

import dataclasses
import os
import sys
import time
from pathlib import Path

import jax
import numpy as np
import tyro
from flax import nnx

from experiments.movielens.unified import COLLISIONLESS, learning_curve
from experiments.movielens.unified_contenders import encoded, plain, split_columns
from experiments.results import Record, device, load, save
from recsys.embedding import Unified
from recsys.features import Batch, Schema
from recsys.models import DCN
from recsys.parallel.memory import keep_freed_memory
from recsys.tables import ALPT, FP16, INT4, INT8, Full
from recsys.tables.method import Method
from recsys.training import Learner
from recsys.training.footprint import kept_bytes

WIDTH = 16
METHODS: dict[str, Method] = {
    "full": Full(),
    "int8": INT8(),
    "alpt": ALPT(),
    "fp16": FP16(),
    "int4": INT4(),
}
READING = plain(2048, 1e-2, patience=1)


@dataclasses.dataclass(frozen=True)
class Integers:
    """Trains every storage once a seed."""

    data: Path = Path(".cache")  # folder of MovieLens-1M, or the folder that holds it
    seeds: int = 3


def measure(settings: Integers) -> list[Record]:
    """One record a run; those that are there already are not run again."""
    done = {(record.table, record.seed) for record in load("integers")}
    for seed in range(settings.seeds):
        schema, parts = encoded(split_columns(settings.data, seed), COLLISIONLESS, seed)
        for name in METHODS:
            if (name, seed) in done:
                continue
            record = trained(name, schema, parts, seed)
            save("integers", [record])
            auc = (record.metrics or {})["auc"]
            print(f"seed {seed}  {name:5} AUC {auc:.4f}", file=sys.stderr, flush=True)
    return load("integers")


def trained(name: str, schema: Schema, parts: dict[str, Batch], seed: int) -> Record:
    """Trains and measures once."""
    model = DCN(schema, Unified(METHODS[name], WIDTH))
    recipe = dataclasses.replace(READING.recipe, seed=seed)
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(seed)), recipe)
    started = time.monotonic()
    curve = [epoch.metrics for epoch in learning_curve(learner, parts, READING, seed)]
    best = max(curve, key=lambda metrics: metrics["valid_auc"])
    (plan,) = model.layout.plans(schema).values()
    return Record(
        experiment="integers",
        data="ml-1m",
        model="dcn",
        table=name,
        layout="unified",
        training=READING.name,
        table_bytes=plan.table_bytes,
        served_bytes=plan.table_bytes + 8 * sum(field.size for field in plan.fields),
        train_bytes=kept_bytes(jax.eval_shape(learner.fresh)),
        seed=seed,
        split="test",
        metrics={**best, "epochs": len(curve)},
        train_seconds=round(time.monotonic() - started, 1),
        device=device(),
        command="python -m experiments.movielens.integers",
    )


def losses(records: list[Record]) -> dict[str, float]:
    """How much AUC each storage loses to float32 rows, mean over its seeds."""
    auc = {(r.table, r.seed): (r.metrics or {})["auc"] for r in records}
    return {
        name: float(np.mean([auc["full", s] - own for (t, s), own in auc.items() if t == name]))
        for name in METHODS
    }


if __name__ == "__main__":
    keep_freed_memory()
    folder = Path(os.environ.get("RECSYS_DATA", ".cache"))
    for table, loss in losses(measure(tyro.cli(Integers, default=Integers(data=folder)))).items():
        print(f"{table:5} loses {loss:+.4f}")
