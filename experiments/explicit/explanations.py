"""Twenty explanations, unedited, for a person to judge: which skills made a job come first.

Profiles of the test split are drawn by a seed, ten of O*NET and ten of ESCO, from words alone. Each
comes with the job that the space ranks first, the grade that the knowledge base gives the two, and
the skills whose shares add up to the score. Trains a space for each task. Writes
`results/explanations.json`, `results/explanations.md` and a picture of the first one.

    RECSYS_DATA=folder python -m experiments.explicit.explanations
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.explicit.protocol import Part, Protocol
from experiments.explicit.run import PROTOCOLS
from experiments.explicit.settings import spec_of
from experiments.results import RESULTS
from recsys.explicit import Space, fit

NAME = "explanations"
SHOWN = 10  # skills of an explanation


@dataclasses.dataclass(frozen=True)
class Explanations:
    """Trains, draws and writes explanations."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: tuple[str, ...] = ("onet", "esco")  # names of tasks
    count: int = 10  # of each task
    seed: int = 0  # of training and of the draw
    results: Path = RESULTS  # where they go


def main(choice: Explanations) -> None:
    """Writes the explanations of all tasks."""
    told = []
    for data in choice.data:
        task = PROTOCOLS[data](choice.folder).without_skills()
        train, valid = (task.parts[name].relevance for name in ("train", "valid"))
        space = fit(spec_of(data, head="explicit"), task.inventory, train, valid, seed=choice.seed)
        told += explain(space, task, count=choice.count, seed=choice.seed)
    choice.results.mkdir(parents=True, exist_ok=True)
    (choice.results / f"{NAME}.json").write_text(json.dumps(told, indent=1) + "\n")
    (choice.results / f"{NAME}.md").write_text(as_text(told))
    draw(told[0], choice.results / f"{NAME}.png")


def explain(space: Space, task: Protocol, *, count: int, seed: int) -> list[dict[str, Any]]:
    """Profiles drawn at random, each with the job that comes first and why."""
    part: Part = task.parts["test"]
    told = part.relevance
    drawn = np.random.default_rng(seed).choice(len(told.profiles), count, replace=False)
    scores = space.score(told.profiles.take(drawn), told.jobs)
    found = []
    for row, profile in enumerate(drawn.tolist()):
        job = int(np.argsort(-scores[row], kind="stable")[0])
        grades: Any = told.grades
        found.append({
            "data": task.name,
            "profile": told.profiles.texts[profile],
            "job": told.jobs.texts[job],
            "grade": float(grades[profile, job]),
            "score": round(float(scores[row, job]), 5),
            **reasons(space, told.profiles.texts[profile], told.jobs.texts[job]),
        })  # fmt: skip
    return found


def as_text(told: Sequence[dict[str, Any]]) -> str:
    """Explanations as a page."""
    lines = [
        "# Explanations, unedited",
        "",
        "Written by `python -m experiments.explicit.explanations`: profiles drawn at random from",
        "the test split, the job that came first, and the skills that made it. A grade of 4 is the",
        "profile's own occupation, 0 is one that the knowledge base does not relate to it.",
    ]
    for number, one in enumerate(told, start=1):
        spoken = "; ".join(one["profile"].splitlines())
        lines += ["", f"## {number}. {one['data']}, grade {one['grade']:g}", ""]
        lines += [f"**Profile.** {spoken}", "", f"**Job.** {' '.join(one['job'].split())}", ""]
        lines += ["| skill | share of the score |", "| --- | ---: |"]
        lines += [f"| {reason['skill']} | {reason['share']:.1%} |" for reason in one["reasons"]]
        lines += [f"| {one['others']} others | {one['others_share']:.1%} |"]
    return "\n".join(lines) + "\n"
