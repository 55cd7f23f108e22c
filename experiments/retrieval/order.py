"""Is Gowalla's published split random? Lists tell: no, test is what came last.

If pairs of test were drawn at random within each user, as those of train, then what is hidden of
train at random would be found as often as test is, by any model. GF-CF is fitted to train without
the first, the last or random items of each user's list, and finds what was hidden and test: of
each the share that is among a user's best 20. Expected: what is random is found more often than
test, and what is last about as often; without the last, less of test is found than without the
first. Records go to `results/retrieval_order.json`. Five minutes of one core.

    RECSYS_DATA=folder python -m experiments.retrieval.order
"""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import tyro
from scipy.sparse import csr_array

from experiments.results import Record, device, save
from recsys.data.datasets import gowalla
from recsys.data.interactions import Interactions
from recsys.retrieval.baselines import GFCF
from recsys.retrieval.evaluation import is_relevant
from recsys.retrieval.ranking import rank

BEST = 20


@dataclasses.dataclass(frozen=True)
class Order:
    """Hides parts of train, and looks for them and for test."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # holds a folder gowalla
    users: int = 4096  # that are ranked for
    seed: int = 0  # of what is random


def found(part: Interactions, test: csr_array, users: np.ndarray) -> dict[str, float]:
    """Shares of the pairs that a model fitted without them finds."""
    ranking = rank(GFCF().fit(part.train), users, seen=part.train, best=BEST, progress=False)
    shares = {}
    for name, wanted in (("hidden", part.test), ("test", test)):
        hits = is_relevant(ranking, wanted).sum()
        shares[f"{name}_found@{BEST}"] = round(float(hits / wanted[users].nnz), 5)
    return shares


def main(choice: Order) -> None:
    """Measures three ways of hiding."""
    folder = choice.folder / "gowalla"
    data = gowalla.load(folder)
    parts = {
        "first": gowalla.validation(folder, end="first"),
        "last": gowalla.validation(folder),
        "random": data.validation(0.15, seed=choice.seed),
    }
    hidden = np.min([np.diff(part.test.indptr) for part in parts.values()], axis=0)
    rng = np.random.default_rng(choice.seed)
    users = np.sort(rng.choice(np.flatnonzero(hidden), choice.users, replace=False))
    for name, part in parts.items():
        shares = found(part, data.test, users)
        print(f"without the {name}: {shares}", flush=True)
        record = Record(
            experiment="retrieval_order",
            data="gowalla",
            model="gfcf",
            training=f"without the {name}",
            split="test",
            seed=choice.seed,
            metrics=shares,
            device=device(),
            command=" ".join(["python -m experiments.retrieval.order", *sys.argv[1:]]),
        )
        save("retrieval_order", [record])


if __name__ == "__main__":
    main(tyro.cli(Order))
