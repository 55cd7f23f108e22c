"""Spaces over a task: documents linked to skills, the model fitted, and what it is asked."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array

from experiments.explicit.measuring import skill_map
from experiments.explicit.peers import Scores, words
from experiments.explicit.protocol import Protocol
from experiments.explicit.settings import EXAMPLES, GAIN, LINKED, SHARES, SHARPNESS, settings_of
from recsys.explicit import Documents, Inventory, Linker, Relevance, fit


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """What a model makes of the test split."""

    scores: Scores
    recipe: str
    told: dict[str, float]  # what only named skills can be asked
    vectors: tuple[csr_array, csr_array] | None = (
        None  # of profiles and jobs, where they have names
    )
    words: tuple[str, ...] = ()  # names of the entries behind the skills

    def save(self, path: Path) -> None:
        """Writes the vectors, if there are any, to be explained later."""
        for side, rows in zip(("profiles", "jobs"), self.vectors or (), strict=False):
            sparse.save_npz(path.with_suffix(f".{side}.npz"), rows)
        if self.vectors:
            path.with_suffix(".words.json").write_text(json.dumps(self.words))


def fitted(task: Protocol, model: str, *, seed: int) -> Fitted:
    """One of `MODELS` on a task."""
    parts = {name: part.relevance for name, part in task.parts.items()}
    linker = linker_of(task) if model in LINKED else None
    recipe = "" if linker is None else f"Linker(examples={EXAMPLES}, sharpness={SHARPNESS}), "
    if linker is not None and model in SHARES:
        share, test = SHARES[model], parts["test"]
        profiles, jobs = (
            linker.vectors(in_words(d, task.inventory), gain=GAIN, share=share)
            for d in (test.profiles, test.jobs)
        )
        return of_vectors(profiles, jobs, test, recipe=f"{recipe}share={share}", linker=linker)
    if linker is not None:
        parts = {name: linked(linker, part, task.inventory) for name, part in parts.items()}
    settings, test = settings_of(model), parts["test"]
    space = fit(settings, task.inventory, parts["train"], parts["valid"], seed=seed, progress=False)
    recipe, epoch = f"{recipe}{settings}", {"epoch": float(space.epoch)}
    profiles, jobs = space.profile_vectors(test.profiles), space.job_vectors(test.jobs)
    if isinstance(profiles, csr_array) and isinstance(jobs, csr_array):
        found = of_vectors(profiles, jobs, test, recipe=recipe, linker=linker)
        return dataclasses.replace(found, told=found.told | epoch)
    return Fitted(np.asarray(profiles @ jobs.T, np.float64), recipe, epoch)


def linker_of(task: Protocol) -> Linker:
    """Links learned from the training documents, with the names of what they state."""
    train = task.parts["train"].relevance
    spoken = [in_words(d, task.inventory) for d in (train.profiles, train.jobs)]
    return Linker.learn(task.inventory, spoken, examples=EXAMPLES, sharpness=SHARPNESS)


def linked(linker: Linker, task: Relevance, inventory: Inventory) -> Relevance:
    """The documents of a task with the skills that they speak of, stated ones among them."""
    profiles, jobs = (
        linker.linked(in_words(d, inventory), gain=GAIN) for d in (task.profiles, task.jobs)
    )
    return Relevance(profiles, jobs, task.grades)


def in_words(documents: Documents, inventory: Inventory) -> Documents:
    """Documents that name what they state in their text, as peers read them."""
    return dataclasses.replace(documents, texts=words(documents, inventory))


def of_vectors(
    profiles: Any, jobs: Any, test: Relevance, *, recipe: str, linker: Linker | None
) -> Fitted:
    """What vectors of named skills, and of words behind them, make of the test split."""
    scores = (profiles @ jobs.T).toarray().astype(np.float64)
    spoken = linker.names if linker and profiles.shape[1] > test.jobs.skills else ()
    return Fitted(scores, recipe, asked(profiles, jobs, test), (profiles, jobs), spoken)


def asked(profiles: Any, jobs: Any, test: Relevance) -> dict[str, float]:
    """What only named skills can be asked: are they right, and how many are there, of words too?"""
    skills = test.jobs.skills
    told = {"skill_map": skill_map(csr_array(jobs[:, :skills]), test.jobs.known)}
    for name, part in {"skills": slice(skills), "words": slice(skills, None)}.items():
        active = np.concatenate(
            [np.diff(csr_array(rows[:, part]).indptr) for rows in (profiles, jobs)]
        )
        told[f"active_{name}"] = round(float(active.mean()), 2)
        told[f"active_{name}_most"] = float(active.max())
    return told
