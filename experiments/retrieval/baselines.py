"""Baselines over whole catalogues: proof that data and metrics are right, and the bar for towers.

Published splits, seen items masked, means over users. Expected R@20 / N@20: MovieLens-1M in the
split of UltraGCN, ItemPop .1161 / .1176, ItemKNN .1724 / .1774, EASE .2759 / .2660, iALS .2826 /
.2675, GF-CF .2667 / .2549; Gowalla, ItemPop .0416 / .0317, GF-CF .1849 / .1518 (Shen et al., CIKM
2021). On Amazon Beauty, whose users have one test item, R@10 / N@10 are compared with TIGER's .0648
/ .0384 (Rajput et al., NeurIPS 2023). Settings of the first two are those of the papers or of
public benchmarks of the same split; those of Amazon Beauty, of MovieLens-1M by time and of iALS on
Gowalla were chosen on validation by `python -m experiments.retrieval.tuning`. Records go to
`results/retrieval_baselines.json`. Some twenty minutes on one core.

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
from experiments.retrieval.metrics import metrics_of
from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import Interactions
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
        "ials": IALS(dim=128, alpha=0.01, l2=0.003, epochs=8),
    },
    "amazon-beauty": {
        "item_pop": ItemPop(),
        "item_knn": ItemKNN(neighbours=200),
        "ease": EASE(l2=200.0),
        "gfcf": GFCF(rank=256, alpha=3.0),
        "ials": IALS(dim=128, alpha=0.003, l2=0.03),
    },
    "ml-1m-time": {
        "item_pop": ItemPop(),
        "item_knn": ItemKNN(neighbours=200),
        "ease": EASE(l2=500.0),
        "gfcf": GFCF(rank=256, alpha=1.0),
        "ials": IALS(dim=64, alpha=0.1, l2=0.01),
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
            found = measured(spec, data)
            records.append(
                dataclasses.replace(
                    found,
                    experiment="retrieval_baselines",
                    data=name,
                    model=model,
                    split="test",
                    command=" ".join(["python -m experiments.retrieval.baselines", *sys.argv[1:]]),
                )
            )
            print(f"{name:15} {model:9} {told(found)}", flush=True)
            save("retrieval_baselines", records[-1:])
    return records


def measured(spec: Any, data: Interactions) -> Record:
    """What a baseline finds of test, and of cold users apart where there are any; what it costs."""
    started = time.monotonic()
    scorer = spec.fit(data.train)
    seconds = time.monotonic() - started
    found = evaluate(scorer, data)
    ranking_seconds = time.monotonic() - started - seconds
    return Record(
        training=str(spec),
        metrics=metrics_of(found) | {"evaluation_s": round(ranking_seconds, 1)},
        train_seconds=round(seconds, 1),
        device=device(),
    )


def told(record: Record) -> str:
    """A record in a line."""
    own = record.metrics or {}
    return (
        f"R@20 {own['recall@20']:.4f} [{own['recall@20_low']:.4f}, {own['recall@20_high']:.4f}] "
        f"N@20 {own['ndcg@20']:.4f} R@10 {own['recall@10']:.4f} N@10 {own['ndcg@10']:.4f}, fitted "
        f"in {record.train_seconds} s, ranked in {own['evaluation_s']} s: {record.training}"
    )


if __name__ == "__main__":
    measure(tyro.cli(Baselines))
