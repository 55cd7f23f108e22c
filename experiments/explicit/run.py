"""Explicit spaces against latent ones, words and stated skills, on occupations nobody has seen.

Bogdanova and Yazdani, "SESA: Supervised Explicit Semantic Analysis", arXiv 1708.03246, 2018, as we
read it. The claim: a space of named skills costs at most 2% of the nDCG@10 and MAP of its latent
twin (the same encoder, the same steps), and ranks better than BM25, TF-IDF and stated skills. How
much of that holds is in `docs/explicit-spaces.md`. The
protocols are in `onet.py`, `esco.py` and `movies.py`.
Settings of peers are chosen on validation; a space keeps the epoch that is best there.

    RECSYS_DATA=folder python -m experiments.explicit.run --data onet
    RECSYS_DATA=folder python -m experiments.explicit.run --data esco --models explicit --seeds 0
    python -m experiments.explicit.run --compare-only
"""

import dataclasses
import itertools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tyro

from experiments.explicit import esco, movies, onet, peers, spaces
from experiments.explicit.measuring import Values, compare, measure, worth
from experiments.explicit.protocol import Protocol
from experiments.explicit.settings import MODELS, NAMED, SEEDED, UNNAMED
from experiments.results import Record, device, save

PROTOCOLS = {"onet": onet.protocol, "esco": esco.protocol, "ml-1m": movies.protocol}
NAME = "explicit"  # of the result file, and of the experiment
CONDITIONS = ("words", "stated")
Condition = Literal["words", "stated"]
Found = dict[int | None, Values]  # by seed


@dataclasses.dataclass(frozen=True)
class Run:
    """Measures spaces and peers on the tasks."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: tuple[str, ...] = tuple(PROTOCOLS)  # names of tasks
    conditions: tuple[Condition, ...] = CONDITIONS  # texts alone, or with stated skills
    models: tuple[str, ...] = (*MODELS, *peers.GRIDS)
    seeds: tuple[int, ...] = (0, 1, 2)  # of training; splits are always the same
    kept: Path = Path(".cache/explicit")  # where values are kept query by query
    compare_only: bool = False  # measures nothing, compares what was measured


def main(choice: Run) -> None:
    """Measures whatever is asked for, then compares all there is."""
    for data in choice.data if not choice.compare_only else ():
        whole = PROTOCOLS[data](choice.folder)
        for condition in choice.conditions:
            if data == "ml-1m" and condition == "stated":
                continue  # nobody states genres
            task = whole if condition == "stated" else whole.without_skills()
            for model in choice.models:
                for seed in choice.seeds if model in SEEDED else (None,):
                    if model == "skills_only" and condition == "words":
                        continue
                    path = place(choice.kept, data, condition, model, seed)
                    record, values = once(task, model, condition=condition, seed=seed, path=path)
                    values.save(path)
                    save(NAME, [record])
                    print(record.experiment, data, model, seed, record.metrics, flush=True)
    save(NAME, comparisons(choice))


def once(
    task: Protocol, model: str, *, condition: str, seed: int | None, path: Path
) -> tuple[Record, Values]:
    """One model, trained or chosen, on the test split; its vectors are kept beside the path."""
    started = time.monotonic()
    own: dict[str, float] = {}
    if model in MODELS:
        found = spaces.fitted(task, model, seed=seed or 0)
        seconds = time.monotonic() - started
        scores, recipe, own = found.scores, found.recipe, found.told
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path)
    else:
        train, valid, test = (task.parts[name].relevance for name in ("train", "valid", "test"))
        peer = peers.choose(
            peers.GRIDS[model], valid, train=train, inventory=task.inventory, measure=worth
        )
        scores, recipe = peer(test, train=train, inventory=task.inventory), str(peer)
        seconds = time.monotonic() - started
    values = measure(scores, task.parts["test"])
    record = Record(
        experiment=f"{NAME}_{condition}",
        data=task.name,
        model=model if model in MODELS else None,
        peer=None if model in MODELS else model,
        training=recipe,
        seed=seed,
        split="test",
        metrics=values.means() | values.intervals() | own,
        train_seconds=round(seconds, 1),
        device=device(),
        command=" ".join(["python -m experiments.explicit.run", *sys.argv[1:]]),
    )
    return record, values


def comparisons(choice: Run) -> list[Record]:
    """How much better spaces of named skills are than other systems, on the same queries."""
    records = []
    for data, condition, model in itertools.product(choice.data, choice.conditions, NAMED):
        ours = read(choice.kept, data, condition, model, (*choice.seeds, None))
        for other in (*UNNAMED, *peers.GRIDS):
            theirs = read(choice.kept, data, condition, other, (*choice.seeds, None))
            if ours and theirs:
                gain = compared(ours, theirs)
                records.append(
                    Record(
                        experiment=f"{NAME}_{condition}_gain",
                        data=data,
                        model=model,
                        peer=other,
                        split="test",
                        metrics=gain,
                        command="python -m experiments.explicit.run --compare-only",
                    )
                )
    return records


def compared(ours: Found, theirs: Found) -> dict[str, float]:
    """Differences with their intervals, and shares of what the other reaches."""
    metrics = {}
    for name, (gain, share) in compare(ours, theirs).items():
        metrics |= {
            f"{name}_gain": round(gain.mean, 5),
            f"{name}_gain_low": round(gain.low, 5),
            f"{name}_gain_high": round(gain.high, 5),
            f"{name}_share": round(share, 5),
        }
    return metrics


def read(kept: Path, data: str, condition: str, model: str, seeds: Sequence[int | None]) -> Found:
    """What is kept of a model's runs, by seed."""
    paths = {seed: place(kept, data, condition, model, seed) for seed in seeds}
    return {seed: Values.open(path) for seed, path in paths.items() if path.is_file()}


def place(kept: Path, data: str, condition: str, model: str, seed: int | None) -> Path:
    """Where the values of a run are kept."""
    return kept / f"{data}-{condition}-{model}{'' if seed is None else f'-{seed}'}.npz"


if __name__ == "__main__":
    main(tyro.cli(Run))
