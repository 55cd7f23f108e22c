"""A full evaluation: every user of Gowalla against the whole catalogue, what it has met left out.

Claim: 29,858 users x 40,981 items, the best 100 of each and all metrics of them, in less than 30
seconds on two cores. Beside it the ranking as it is usually written in NumPy (a product, minus
infinity where something was met, `argpartition`), which measures nothing. Vectors of 64 are drawn:
their values make no difference to the work. The fastest of some rounds counts; the two take turns.
Records go to `results/evaluation.json`. Two minutes.

    RECSYS_DATA=folder python -m experiments.benchmarks.evaluation
"""

import dataclasses
import os
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import tyro

from experiments.benchmarks.timing import require_quiet
from experiments.results import Record, device, save
from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import Interactions
from recsys.retrieval import evaluate
from recsys.retrieval.baselines.linear import Factors

NAME, BEST, BLOCK = "evaluation", 100, 1024


@dataclasses.dataclass(frozen=True)
class Evaluations:
    """Times evaluations of drawn vectors."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    data: str = "gowalla"
    dim: int = 64
    rounds: int = 3
    seed: int = 0
    save: bool = True  # write the records to experiments/results; wants a quiet machine


def ranked_by_numpy(user: np.ndarray, item: np.ndarray, data: Interactions) -> np.ndarray:
    """The best items of every user with a test item, the best first."""
    users, lists = np.flatnonzero(np.diff(data.test.indptr)), []
    for start in range(0, len(users), BLOCK):
        own = users[start : start + BLOCK]
        scores = user[own] @ item.T
        scores[data.train[own].nonzero()] = -np.inf
        top = np.argpartition(-scores, BEST - 1, axis=1)[:, :BEST]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
        lists.append(np.take_along_axis(top, order, axis=1))
    return np.concatenate(lists)


def main(choice: Evaluations) -> None:
    """Measures both."""
    if choice.save:
        require_quiet()
    data = INTERACTIONS[choice.data](choice.folder / choice.data)
    rng = np.random.default_rng(choice.seed)
    user, item = (
        rng.normal(size=(count, choice.dim)).astype(np.float32)
        for count in (data.users, data.items)
    )
    scorer = Factors(jnp.asarray(user), jnp.asarray(item))
    ways = {
        None: lambda: evaluate(scorer, data, best=BEST, progress=False).ranking.items,
        f"NumPy {np.__version__}": lambda: ranked_by_numpy(user, item, data),
    }
    seconds: dict[str | None, list[float]] = {name: [] for name in ways}
    for _ in range(choice.rounds):
        for name, rank in ways.items():
            started = time.monotonic()
            rank()
            seconds[name].append(time.monotonic() - started)
    records = []
    for name, taken in seconds.items():
        least = min(taken)
        print(f"{name or 'ours'}: {least:.1f} s of {', '.join(f'{t:.1f}' for t in taken)}")
        records.append(
            Record(
                experiment=NAME,
                data=choice.data,
                split="test",
                metrics={"evaluation_s": round(least, 2)},
                device=device(),
                peer=name,
                command=" ".join(["python -m experiments.benchmarks.evaluation", *sys.argv[1:]]),
            )
        )
    if choice.save:
        save(NAME, records)


if __name__ == "__main__":
    main(tyro.cli(Evaluations))
