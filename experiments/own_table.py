"""A CSV that the code has never seen: described, imported, trained on and evaluated by commands.

Claim: with the defaults of every command a table of a million rows, of mixed types, with dates, a
column of several values and missing cells, gives a model that learned its tastes, and nobody writes
Python. The labels are drawn from planted tastes, so that the AUC of whoever knows them stands
beside. The record goes to `results/own_table.json`, and `docs/bring-your-own-table.md` shows what
was printed; some minutes on two cores.

    python -m experiments.own_table
"""

import contextlib
import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import tyro
from pyarrow import csv
from sklearn.metrics import roc_auc_score

from experiments.results import Record, device, save
from recsys.cli import main as recsys

CUSTOMERS, PRODUCTS, TAGS, COUNTRIES = 50_000, 8_000, 60, 25
TASTE = 6  # dimensions of the planted tastes
MISSING = 0.08  # share of prices and ages
STEP_S = 9  # between two rows
START = np.datetime64("2025-01-01T00:00:00")


@dataclasses.dataclass(frozen=True)
class OwnTable:
    """Takes a generated table through the command line."""

    folder: Path = Path(".cache/own_table")  # of the table and all that is made of it
    rows: int = 1_000_000
    save: bool = True  # write the record to experiments/results


def main(settings: OwnTable) -> Record:
    """Writes the table, gives the commands, and compares with the best AUC."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(settings.folder):
        best = write_visits(Path("visits.csv"), settings.rows)
        for command in (
            "data describe visits.csv --overwrite",
            "data import visits.csv",
            "train visits.store",
            "evaluate runs/visits --out metrics.json",
            "predict runs/visits visits.csv",
        ):
            print(f"\n$ recsys {command}", flush=True)
            status = recsys(command.split())
            if status:
                sys.exit(status)
        told = json.loads(Path("metrics.json").read_text())
    metrics = {**told["metrics"], "best_auc": round(best, 4), "steps": told["step"]}
    command = " ".join(["python -m experiments.own_table", *sys.argv[1:]])
    return Record("own_table", split="test", metrics=metrics, device=device(), command=command)


def write_visits(path: Path, rows: int) -> float:
    """The table; returns the AUC of the probabilities that its labels were drawn from."""
    rng = np.random.default_rng(0)
    customer, product = (
        np.floor(count ** rng.random(rows)).astype(np.int64) for count in (CUSTOMERS, PRODUCTS)
    )
    taste, style, theme = (
        rng.normal(size=(count, TASTE)) for count in (CUSTOMERS + 1, PRODUCTS + 1, TAGS)
    )
    tagged = rng.integers(0, TAGS, (PRODUCTS + 1, 3))
    price = np.exp(rng.normal(3, 1, PRODUCTS + 1))
    device_of, country = rng.integers(0, 3, rows), rng.integers(0, COUNTRIES, CUSTOMERS + 1)
    age = rng.integers(18, 80, CUSTOMERS + 1)
    liking = (taste[customer] * (style[product] + theme[tagged[product]].mean(axis=1))).sum(axis=1)
    score = 0.5 * liking + 0.4 * device_of - 0.5 * np.log(price[product]) + 0.4
    chance = 1 / (1 + np.exp(-score))
    bought = rng.random(rows) < chance

    def gaps(column: pa.Array) -> pa.Array:
        return column.take(pa.array(np.arange(rows), mask=rng.random(rows) < MISSING))

    names = np.array([f"tag-{number}" for number in range(TAGS)])
    tags = np.array(["|".join(names[numbers]) for numbers in tagged])
    when = START + (np.arange(rows) * STEP_S).astype("timedelta64[s]")
    table = pa.table(
        {
            "visit": pa.array([f"v{row:07d}" for row in range(rows)]),
            "time": pa.array(np.datetime_as_string(when).tolist()),
            "customer": pa.array([f"c{number}" for number in customer]),
            "product_id": pa.array(product),
            "tags": pa.array(tags[product].tolist()),
            "price": gaps(pa.array(np.round(price[product], 2))),
            "age": gaps(pa.array(age[customer])),
            "country": pa.array(np.char.add("C", country[customer].astype(str)).tolist()),
            "device": pa.array(np.array(["phone", "tablet", "desktop"])[device_of].tolist()),
            "bought": pa.array(np.where(bought, "yes", "no").tolist()),
        }
    )
    csv.write_csv(table, path, csv.WriteOptions(quoting_style="needed"))
    return float(roc_auc_score(bought, chance))


if __name__ == "__main__":
    choice = tyro.cli(OwnTable)
    os.environ.setdefault("COLUMNS", "100")
    record = main(choice)
    print(record.metrics)
    if choice.save:
        save("own_table", [record])
