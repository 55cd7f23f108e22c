"""O*NET as a task: which description of an occupation suits somebody's tasks and former titles?

- A job is the description of an occupation, and nothing else. A profile is three of its alternate
  titles and half of its tasks, drawn anew for each of its profiles; the title itself is in neither.
- Occupations are held out whole, by minor group of the classification (the first four characters).
- Skills are all kinds of software and of tools, and all detailed work activities. Training is told
  those of its occupations. A document may state some of its software
  and tools, each with probability 0.3, on both sides by themselves.
- Relevance is O*NET's table of related occupations: 4 for the profile's own occupation, 3 and 2 for
  its nearest five and next five, 1 for ten more; no model sees a pair of a test occupation. It is
  made from task texts, titles and knowledge ratings (and reviewed by hand), not from these links.
- Second opinion, never trained on: how important 35 skills and 33 fields of knowledge are rated.
  The nearest ten of all occupations of the split by correlation of ratings: 3, 2, 1 for the first
  two, the next three, the next five.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse import csr_array

from experiments.explicit.protocol import Part, Protocol, check, deal, graded, known_to, some_of
from recsys.data.datasets import onet
from recsys.data.datasets.onet import ONET, Concepts, Occupation
from recsys.explicit import Documents, Inventory, Relevance

STATED = 0.3
TITLES, TASKS = 3, 0.5  # of a profile
PROFILES = {"train": 4, "valid": 2, "test": 2}  # of an occupation
NEAREST = (3.0,) * 2 + (2.0,) * 3 + (1.0,) * 5


def protocol(folder: Path, *, seed: int = 0, with_ratings: bool = True) -> Protocol:
    """The task over the files of a folder; the seed draws splits, profiles and stated skills."""
    base = onet.load(folder)
    ratings = onet.ratings(folder, base) if with_ratings else None
    return arrange(base, ratings, seed=seed)


def arrange(base: ONET, ratings: Concepts | None, *, seed: int) -> Protocol:
    """The task over a database."""
    rng = np.random.default_rng(seed)
    inventory, links, stateable = skills(base)
    usable = np.array([n for n, o in enumerate(base.occupations) if is_told(o)])
    splits = deal([base.occupations[n].code[:4] for n in usable], rng=rng)
    parts = {}
    for name, members in splits.items():
        own = usable[members]
        profile_of = np.repeat(own, PROFILES[name])
        words = [profile(base.occupations[n], rng=rng) for n in profile_of]
        jobs = [base.occupations[n].description for n in own]

        def told(texts: Sequence[str], of: Int[np.ndarray, " documents"]) -> Documents:
            given = some_of(stateable, of, share=STATED, rng=rng)
            return Documents(tuple(texts), given, known_to(links, of))

        relevance = Relevance(
            told(words, profile_of), told(jobs, own), graded(base.related, profile_of, own)
        )
        second = second_opinion(ratings, own, among=len(base.occupations))
        parts[name] = Part(relevance, profile_of, own, graded(second, profile_of, own))
    made = Protocol("onet", inventory, parts)
    check(made, supervised=links, relation=base.related)
    return made


def skills(base: ONET) -> tuple[Inventory, csr_array, csr_array]:
    """The inventory, all links to it, and those that a document may state."""
    names: dict[str, int] = {}
    examples: dict[str, tuple[str, ...]] = {}
    stacks = []
    for concepts in (base.technologies, base.tools, base.activities):
        fresh = [n for n, name in enumerate(concepts.names) if name not in names]
        for n in fresh:
            names[concepts.names[n]] = len(names)
            examples[concepts.names[n]] = concepts.examples[n] if concepts.examples else ()
        linked: Any = concepts.links
        stacks.append(linked[:, fresh])
    links = csr_array(sparse.hstack(stacks, format="csr"))
    links.data = np.ones(len(links.data), np.float32)
    mask = np.arange(len(names)) < sum(stack.shape[1] for stack in stacks[:2])
    stateable = csr_array(links * mask[None, :].astype(np.float32))
    stateable.eliminate_zeros()
    descriptions = tuple(", ".join(examples[name]) for name in names)
    return Inventory(tuple(names), descriptions), links, stateable


def is_told(occupation: Occupation) -> bool:
    """Whether there is enough to make a profile of."""
    return len(occupation.tasks) >= 2 and len(occupation.alternate_titles) >= 1


def profile(occupation: Occupation, *, rng: np.random.Generator) -> str:
    """Somebody of this occupation: a line for each former title and each task."""
    said = occupation.description.casefold()
    titles = [t for t in occupation.alternate_titles if t.casefold() != occupation.title.casefold()]
    tasks = [t for t in occupation.tasks if t.rstrip(".").casefold() not in said]
    picked = rng.permutation(len(titles))[:TITLES].tolist()
    done = rng.permutation(len(tasks))[: max(1, round(TASKS * len(tasks)))].tolist()
    return "\n".join([*(titles[n] for n in picked), *(tasks[n] for n in done)])


def second_opinion(
    ratings: Concepts | None, own: Int[np.ndarray, " members"], *, among: int
) -> csr_array:
    """[occupations, occupations] grades of the members' nearest by correlation of ratings."""
    grades = sparse.lil_array((among, among), dtype=np.float32)
    if ratings is not None:
        rows = ratings.links.toarray()[own]
        rated = np.flatnonzero(rows.any(axis=1))
        nearness = correlation(rows[rated])
        for place, near in enumerate(nearness):
            best = np.argsort(-near, kind="stable")[: len(NEAREST)]
            for other, grade in zip(best.tolist(), NEAREST, strict=False):
                if np.isfinite(near[other]):
                    grades[own[rated[place]], own[rated[other]]] = grade
    return csr_array(grades)


def correlation(rows: Float[np.ndarray, "rows width"]) -> Float[np.ndarray, "rows rows"]:
    """Of each row with each other, after what all have in common is taken away."""
    centred = rows - rows.mean(axis=0, keepdims=True)
    near = np.corrcoef(centred)
    np.fill_diagonal(near, -np.inf)
    return near
