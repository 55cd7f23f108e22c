"""Baselines over whole catalogues: proof that data and metrics are right, and the bar for towers.

Published splits, seen items masked, means over users. Expected R@20 / N@20: MovieLens-1M in the
split of UltraGCN, ItemPop .1161 / .1176, ItemKNN .1724 / .1774, EASE .2759 / .2660, iALS .2826 /
.2675, GF-CF .2667 / .2549; Gowalla, ItemPop .0416 / .0317, GF-CF .1849 / .1518 (Shen et al., CIKM
2021). The settings are those of the papers or of public benchmarks of the same split, not tuned
here. Records go to `results/retrieval_baselines.json`. A few minutes on one core.

    RECSYS_DATA=folder python -m experiments.retrieval.baselines
    RECSYS_DATA=folder python -m experiments.retrieval.baselines --data gowalla --models gfcf
"""

import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import Any

import tyro

from experiments.results import Record, device, save
from recsys.data.datasets import INTERACTIONS
from recsys.retrieval import evaluate
from recsys.retrieval.baselines import EASE, GFCF, IALS, ItemKNN, ItemPop

SETTINGS: dict[str, dict[str, Any]] = {
    "ml-1m-ultragcn": {
        "item_pop": ItemPop(),
        "item_knn": ItemKNN(neighbours=200),
        "ease": EASE(l2=500.0),
        "gfcf": GFCF(rank=256, alpha=0.3),
        "ials": IALS(dim=128, alpha=0.3, l2=0.007),
    },
    "gowalla": {
        "item_pop": ItemPop(),
        "item_knn": ItemKNN(neighbours=200),
        "gfcf": GFCF(rank=256, alpha=0.3),
        "ials": IALS(dim=64, alpha=0.1, l2=0.003),
    },
}


@dataclasses.dataclass(frozen=True)
class Baselines:
    """Fits and measures baselines on published splits."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # one folder a data set inside
    data: tuple[str, ...] = tuple(SETTINGS)  # names of data sets
    models: tuple[str, ...] = ()  # names of baselines; none is all


def measure(choice: Baselines) -> list[Record]:
    """One record a baseline and data set, saved as soon as it is there."""
    records = []
    for name in choice.data:
        data = INTERACTIONS[name](choice.folder / name)
        for model, spec in SETTINGS[name].items():
            if choice.models and model not in choice.models:
                continue
            started = time.monotonic()
            scorer = spec.fit(data.train)
            seconds = time.monotonic() - started
            found = evaluate(scorer, data)
            ranking_seconds = time.monotonic() - started - seconds
            low, high = found.interval("recall@20")
            metrics = {key: round(value, 5) for key, value in found.metrics.items()}
            metrics |= {"recall@20_low": round(low, 5), "recall@20_high": round(high, 5)}
            print(
                f"{name:15} {model:9} R@20 {metrics['recall@20']:.4f} [{low:.4f}, {high:.4f}] "
                f"N@20 {metrics['ndcg@20']:.4f}, fitted in {seconds:.1f} s, ranked in "
                f"{ranking_seconds:.1f} s"
            )
            record = Record(
                experiment="retrieval_baselines",
                data=name,
                model=model,
                training=str(spec),
                split="test",
                metrics=metrics | {"evaluation_s": round(ranking_seconds, 1)},
                train_seconds=round(seconds, 1),
                device=device(),
                command=" ".join(["python -m experiments.retrieval.baselines", *sys.argv[1:]]),
            )
            save("retrieval_baselines", [record])
            records.append(record)
    return records


if __name__ == "__main__":
    measure(tyro.cli(Baselines))
