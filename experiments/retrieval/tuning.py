"""Baselines over a grid, measured on validation that is carved from train; test is never read.

What is published for a split is not tuned: the grids are for splits without published settings.
The highest R@20 of each model is what `SETTINGS` of `baselines.py` holds, chosen by the first
command. Of each user a tenth of its items is put aside at random; of Amazon Beauty a quarter, since
most of its users have fewer than ten items in train and each at least four. For iALS the weight of
what was not met, the regularisation and the dimension matter most (Rendle et al., RecSys 2022); in
a catalogue of tens of thousands, alpha is best far below what a small one wants. What is measured
already is not measured again, so that a killed run goes on. Records go to
`results/retrieval_tuning.json`. About an hour on one core; EASE on Amazon Beauty takes 4 GB.

    RECSYS_DATA=folder python -m experiments.retrieval.tuning
    RECSYS_DATA=folder python -m experiments.retrieval.tuning --data gowalla --models ials
"""

import dataclasses
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tyro

from experiments.results import RESULTS, Record, load, save
from experiments.retrieval.baselines import measured, told
from experiments.retrieval.validation import SHARE, SHARES
from recsys.data.datasets import INTERACTIONS
from recsys.retrieval.baselines import EASE, GFCF, IALS

CHOSEN_BY = "recall@20"


def _ials(
    dim: int, alphas: tuple[float, ...], l2s: tuple[float, ...], *, epochs: int = 16
) -> tuple[IALS, ...]:
    return tuple(IALS(dim=dim, alpha=alpha, l2=l2, epochs=epochs) for alpha in alphas for l2 in l2s)


EASES = tuple(EASE(l2=l2) for l2 in (50.0, 200.0, 500.0, 1000.0))
GFCFS = tuple(GFCF(rank=256, alpha=alpha) for alpha in (0.0, 0.1, 0.3, 1.0, 3.0))
GRIDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "amazon-beauty": {
        "ease": EASES,
        "gfcf": GFCFS,
        "ials": (
            *_ials(64, (0.003, 0.01, 0.03, 0.1), (0.003, 0.01, 0.03)),
            *_ials(64, (0.001, 0.003), (0.1,)),
            *_ials(128, (0.003,), (0.03, 0.05)),
        ),
    },
    "ml-1m-time": {
        "ease": EASES,
        "gfcf": GFCFS,
        "ials": _ials(64, (0.03, 0.1, 0.3), (0.003, 0.01, 0.03)),
    },
    "gowalla": {
        "ials": (
            *_ials(128, (0.003, 0.01, 0.03), (0.003, 0.01), epochs=8),
            *_ials(64, (0.01, 0.1), (0.003,), epochs=8),
        )
    },
}


@dataclasses.dataclass(frozen=True)
class Tuning:
    """Fits every setting of a grid and measures it on validation."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    data: tuple[str, ...] = tuple(GRIDS)  # names of data sets
    models: tuple[str, ...] = ()  # names of baselines; none is all
    seed: int = 0  # of what is put aside


def tune(choice: Tuning, *, results: Path = RESULTS) -> None:
    """One record a setting, saved as soon as it is there."""
    done = {(r.data, r.training, r.seed) for r in load("retrieval_tuning", folder=results)}
    for name in choice.data:
        whole = INTERACTIONS[name](choice.folder / name)
        data = whole.validation(SHARES.get(name, SHARE), seed=choice.seed)
        for model, grid in GRIDS[name].items():
            for spec in grid if not choice.models or model in choice.models else ():
                if (name, str(spec), choice.seed) in done:
                    continue
                found = dataclasses.replace(
                    measured(spec, data),
                    experiment="retrieval_tuning",
                    data=name,
                    model=model,
                    seed=choice.seed,
                    split="validation",
                    command=" ".join(["python -m experiments.retrieval.tuning", *sys.argv[1:]]),
                )
                print(f"{name:15} {model:9} {told(found)}", flush=True)
                save("retrieval_tuning", [found], folder=results)


def winners(records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """By data set and model, the setting that found most."""
    best: dict[tuple[str, str], Record] = {}
    for record in records:
        key = record.data or "", record.model or ""
        if key not in best or _value(record) > _value(best[key]):
            best[key] = record
    return {key: record.training or "" for key, record in best.items()}


def _value(record: Record) -> float:
    return (record.metrics or {})[CHOSEN_BY]


if __name__ == "__main__":
    tune(tyro.cli(Tuning))
    for (data_name, model_name), training in winners(load("retrieval_tuning")).items():
        print(f"{data_name:15} {model_name:9} {training}")
