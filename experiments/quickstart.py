"""Click model on MovieLens-100K: a multiplexed table, two lookups a value, against the full table.

All features share one hash table of 30% of the full table's bytes and each value reads two rows of
it (Coleman et al., NeurIPS 2023); DCN-v2 ranks, the epoch is chosen on validation. Expect a test
AUC of .8655 +- .0011 against .8659 +- .0008 for the full table (seeds 0 to 2), in a minute on two
cores for both. Then two towers are trained and exported: a release to serve.

    python -m experiments.quickstart              # downloads the data
    python -m experiments.quickstart --data DIR   # takes them from a folder
"""

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import tyro
from flax import nnx

from experiments.movielens.release import MovieLens, release, served
from recsys.data import Shuffled
from recsys.data.datasets import movielens_100k
from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.features.batch import Batch
from recsys.models import DCN
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.tables import Full, Hash
from recsys.training import Learner, Recipe
from recsys.training.evaluation import evaluate
from recsys.training.loop import fit

SPLIT_SEED = 0
MOST_GENRES = 6  # of one movie
COLUMNS = ("user", "movie", "gender", "age", "occupation", "zip")
Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """Trains a click model on MovieLens-100K and prints what it reached."""

    data: Path = Path(".cache")  # where MovieLens-100K is, or is downloaded to
    directory: Path = Path("runs/quickstart")  # of checkpoints and log; a killed run goes on there
    rows: int = 2048  # of the multiplexed table
    dim: int = 8  # width of a row
    lookups: int = 2  # rows that a value reads, side by side
    rate: float = 3e-3  # learning rate of the rows
    decay: float = 0.3  # weight decay of the rows
    dropout: float = 0.1  # of embedding entries
    average: float = 0.99  # decay of the moving average that is evaluated
    batch: int = 512  # examples a step
    epochs: int = 20  # at most
    patience: int = 2  # epochs without a better validation AUC after which training stops
    seed: int = 0  # of initialisation, order and dropout; the split stays
    compare: bool = True  # also train the table in which no values share rows


def schema(lookups: int) -> Schema:
    """What a click model knows of a user and a movie."""
    features = [Feature(name, lookups=lookups) for name in COLUMNS]
    genres = Feature("genres", kind="bag", length=MOST_GENRES, lookups=lookups)
    return Schema((*features, genres))


def splits(folder: Path) -> dict[str, Columns]:
    """Clicks of the training, validation and test split."""
    columns = movielens_100k.clicks(movielens_100k.load(folder))
    parts = movielens_100k.split(len(columns["label"]), SPLIT_SEED)
    return {part: {n: c[rows] for n, c in columns.items()} for part, rows in parts.items()}


def train(choice: Quickstart, model: DCN, data: dict[str, Batch], *, directory: Path | None) -> str:
    """Trains a model; the cells of its row in the table that `main` prints."""
    rows = RowTraining(LazyAdam(choice.rate), weight_decay=choice.decay, average=choice.average)
    recipe = Recipe(rows=rows, dense=Adam(), dropout=choice.dropout, seed=choice.seed)
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(choice.seed)), recipe)
    fitted = fit(
        learner,
        Shuffled(data["train"], size=choice.batch, seed=choice.seed),
        epochs=choice.epochs,
        valid=data["valid"],
        patience=choice.patience,
        directory=directory,
    )
    if fitted.is_stopped:
        sys.exit(f"Stopped after step {fitted.last_step:,}: the same command goes on from there.")
    test = evaluate(learner, fitted.state, data["test"])
    embed = learner.model(fitted.state).embed
    metrics = [f"{split[name]:11.4f}" for split in (fitted.valid, test) for name in split]
    rate = fitted.examples_per_s
    speed = "read again" if math.isnan(rate) else f"{rate:,.0f}"
    return "".join([*metrics, f"{embed.table_bytes:12,}{embed.served_bytes:12,}{speed:>12}"])


def main(choice: Quickstart) -> None:
    """Trains, compares, and says what to type next."""
    cut = splits(movielens_100k.fetch(choice.data))
    lean = schema(choice.lookups)
    data = {part: lean.encode(columns) for part, columns in cut.items()}
    model = DCN(lean, Unified(Hash(rows=choice.rows), choice.dim))
    told("multiplexed: one table for all features, values share its rows")
    lines = {"multiplexed": train(choice, model, data, directory=choice.directory)}
    if choice.compare:
        full, vocabularies = schema(1).with_vocabularies(cut["train"])
        data = {part: full.encode(columns, vocabularies) for part, columns in cut.items()}
        model = DCN(full, Unified(Full(), choice.dim * choice.lookups))
        told("collisionless: a row for each value of each feature")
        lines["collisionless"] = train(choice, model, data, directory=None)
    heads = ("valid AUC", "log loss", "test AUC", "log loss")
    columns = "".join(f"{head:>11}" for head in heads)
    print(f"\n{'table':14}{columns}{'table bytes':>12}{'served':>12}{'examples/s':>12}")
    for name, cells in lines.items():
        print(f"{name:14}{cells}")
    told("two towers on who liked what, and a release of them")
    path = release(MovieLens(choice.data, choice.directory / "towers")).path
    print(
        f"\nThe model and its log are in {choice.directory}; the same command reads it again.\n"
        f"To serve recommendations:\n{served(path)}\n"
        "What to type next:\n"
        "  .venv/bin/python -m experiments.quickstart --help\n"
        "  .venv/bin/python -m experiments.quickstart --rows 512 --directory runs/rows-512\n"
        "  make fast"
    )


def told(text: str) -> None:
    """A line beside those of training."""
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        main(tyro.cli(Quickstart))
    except (ValueError, OSError) as error:  # data or checkpoint are not what they should be
        sys.exit(str(error))
