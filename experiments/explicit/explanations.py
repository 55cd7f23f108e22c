"""Twenty explanations, unedited, for a person to judge: which reasons made a job come first.

Profiles of the test split are drawn by a seed, ten of O*NET and ten of ESCO, from words alone. Each
comes with the job that the space ranks first, the grade that the knowledge base gives the two, and
the skills and words whose shares add up to the score. The vectors are those that
`experiments.explicit.run` kept. Writes `results/explanations.json`, `results/explanations.md` and a
picture of the first one.

    RECSYS_DATA=folder python -m experiments.explicit.explanations
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from scipy import sparse

from experiments.explicit.protocol import Protocol
from experiments.explicit.run import PROTOCOLS, place
from experiments.results import RESULTS
from recsys.report.plots import explanation

NAME = "explanations"
SHOWN = 10  # reasons of an explanation
Told = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Explanations:
    """Draws and writes explanations."""

    folder: Path = Path(os.environ.get("RECSYS_DATA", ".cache"))  # of the data sets
    data: tuple[str, ...] = ("onet", "esco")  # names of tasks
    model: str = "links"  # whose kept vectors are explained: links, or explicit
    count: int = 10  # of each task
    seed: int = 0  # of training and of the draw
    kept: Path = Path(".cache/explicit")  # where `run` keeps vectors
    results: Path = RESULTS  # where they go


def main(choice: Explanations) -> None:
    """Writes the explanations of all tasks."""
    told: list[Told] = []
    for data in choice.data:
        task = PROTOCOLS[data](choice.folder).without_skills()
        seed = choice.seed if choice.model == "explicit" else None
        path = place(choice.kept, data, "words", choice.model, seed)
        vectors = tuple(
            sparse.load_npz(path.with_suffix(f".{side}.npz")) for side in ("profiles", "jobs")
        )
        words = json.loads(path.with_suffix(".words.json").read_text())
        names = (*task.inventory.names, *words)
        told += explain(task, *vectors, names=names, count=choice.count, seed=choice.seed)
    choice.results.mkdir(parents=True, exist_ok=True)
    (choice.results / f"{NAME}.json").write_text(json.dumps(told, indent=1) + "\n")
    (choice.results / f"{NAME}.md").write_text(as_text(told))
    (choice.results / f"{NAME}.png").write_bytes(drawn(told[0]))


def explain(
    task: Protocol, profiles: Any, jobs: Any, *, names: Sequence[str], count: int, seed: int
) -> list[Told]:
    """Profiles drawn at random, each with the job that comes first and why."""
    told = task.parts["test"].relevance
    grades: Any = told.grades
    drawn = np.random.default_rng(seed).choice(len(told.profiles), count, replace=False)
    found = []
    for profile in drawn.tolist():
        scores = (profiles[[profile]] @ jobs.T).toarray()[0]
        job = int(np.argsort(-scores, kind="stable")[0])
        shares = profiles[[profile]].multiply(jobs[[job]]).toarray()[0].astype(np.float64)
        best = np.argsort(-shares, kind="stable")[: int((shares > 0).sum())]
        found.append(
            {
                "data": task.name,
                "profile": told.profiles.texts[profile],
                "job": told.jobs.texts[job],
                "grade": float(grades[profile, job]),
                "score": round(float(shares.sum()), 5),
                "reasons": [
                    {"name": names[n], "share": round(float(shares[n]), 5)}
                    for n in best[:SHOWN].tolist()
                ],
                "skills_share": round(float(shares[: len(task.inventory)].sum()), 5),
                "others": len(best[SHOWN:]),
                "others_share": round(float(shares[best[SHOWN:]].sum()), 5),
            }
        )
    return found


def drawn(one: Told) -> bytes:
    """A picture of an explanation."""
    shares = [(reason["name"], reason["share"]) for reason in one["reasons"]]
    return explanation(shares, [], title=f"score {one['score']:.3f}", kind="png")


def as_text(told: Sequence[dict[str, Any]]) -> str:
    """Explanations as a page."""
    lines = [
        "# Explanations, unedited",
        "",
        "Written by `python -m experiments.explicit.explanations`: profiles drawn at random from",
        "the test split, the job that came first, and the skills and words that made it. A grade",
        "of 4 is the profile's own occupation, 0 one that the knowledge base does not relate.",
    ]
    for number, one in enumerate(told, start=1):
        spoken = "; ".join(one["profile"].splitlines())
        lines += ["", f"## {number}. {one['data']}, grade {one['grade']:g}", ""]
        lines += [f"**Profile.** {spoken}", "", f"**Job.** {' '.join(one['job'].split())}", ""]
        lines += ["| reason | share |", "| --- | ---: |"]
        lines += [f"| {reason['name']} | {reason['share']:.4f} |" for reason in one["reasons"]]
        lines += [f"| {one['others']} others | {one['others_share']:.4f} |"]
        lines += [f"| **score**, of which skills {one['skills_share']:.4f} | {one['score']:.4f} |"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(tyro.cli(Explanations))
