"""ESCO as a task: which description of an occupation suits somebody's former titles and experience?

- A job is the description of an occupation, and nothing else. A profile is half of the occupation's
  other labels and, for a quarter of its essential skills, one of the skill's other labels: never
  the one that the skill goes by. The occupation's own label is in neither.
- Occupations are held out whole, by minor group of ISCO-08 (three digits).
- Skills are all of ESCO's, described by their other labels and their description. Training is told
  the essential links of its occupations. A document may state skills among them, each with
  probability 0.3, on both sides by themselves.
- Relevance is the hierarchy: 4 for the profile's own occupation, 2 in the same unit group of ISCO
  (four digits), 1 in the same minor group (three).
- Second opinion, never trained on: optional links. 3, 2, 1 where the cosine of two occupations'
  optional skills, weighted by rarity, is at least 0.5, 0.25, 0.1.
"""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer

from experiments.explicit.protocol import Part, Protocol, check, deal, graded, known_to, some_of
from recsys.data.datasets import esco
from recsys.data.datasets.esco import ESCO, Occupation
from recsys.explicit import Documents, Inventory, Relevance

STATED = 0.3
LABELS, EXPERIENCE = 0.5, 0.25  # of a profile's occupation: other labels, essential skills
PROFILES = {"train": 2, "valid": 1, "test": 1}  # of an occupation
UNIT, MINOR = 2.0, 1.0
OVERLAPS = ((0.5, 3.0), (0.25, 2.0), (0.1, 1.0))  # least cosine, grade


def protocol(folder: Path, *, seed: int = 0) -> Protocol:
    """The task over the archives of a folder; the seed draws splits, profiles and stated skills."""
    return arrange(esco.load(folder), seed=seed)


def arrange(base: ESCO, *, seed: int) -> Protocol:
    """The task over a classification."""
    rng = np.random.default_rng(seed)
    essential = base.essential
    relation, second = hierarchy(base.occupations), overlap(base.optional)
    usable = np.array([n for n, o in enumerate(base.occupations) if is_told(o)])
    splits = deal([base.occupations[n].group[:3] for n in usable], rng=rng)
    parts = {}
    for name, members in splits.items():
        own = usable[members]
        profile_of = np.repeat(own, PROFILES[name])
        words = tuple(profile(base, n, rng=rng) for n in profile_of.tolist())
        jobs = tuple(base.occupations[n].description for n in own)
        profiles, offers = (
            Documents(texts, some_of(essential, of, share=STATED, rng=rng), known_to(essential, of))
            for texts, of in ((words, profile_of), (jobs, own))
        )
        told = Relevance(profiles, offers, graded(relation, profile_of, own))
        parts[name] = Part(told, profile_of, own, graded(second, profile_of, own))
    made = Protocol("esco", inventory(base), parts)
    check(made, supervised=essential, relation=relation)
    return made


def inventory(base: ESCO) -> Inventory:
    """Skills by label, described by what else they are called and by their description."""
    names: dict[str, str] = {}
    for skill in base.skills:
        # Two skills may share a label: the second says what kind it is.
        name = skill.label if skill.label not in names else f"{skill.label} ({skill.kind})"
        names[name] = "; ".join([*skill.alternatives, skill.description])
    return Inventory(tuple(names), tuple(names.values()))


def is_told(occupation: Occupation) -> bool:
    """Whether there is enough to make a job and a profile of."""
    return bool(occupation.description) and len(occupation.alternatives) >= 2


def profile(base: ESCO, place: int, *, rng: np.random.Generator) -> str:
    """Somebody of this occupation: a line for each former title and each thing they did."""
    occupation = base.occupations[place]
    said = {line.strip().rstrip(".").casefold() for line in occupation.description.splitlines()}
    labels = [
        label
        for label in occupation.alternatives
        if label.casefold() not in said | {occupation.label.casefold()}
    ]
    picked = rng.permutation(len(labels))[: max(1, round(LABELS * len(labels)))].tolist()
    essential: Any = base.essential
    done = np.sort(essential[[place]].indices)
    lines = [labels[n] for n in picked]
    for skill in rng.permutation(done)[: round(EXPERIENCE * len(done))].tolist():
        own = base.skills[skill]
        other = [label for label in own.alternatives if label.casefold() != own.label.casefold()]
        if other:
            lines.append(other[int(rng.integers(len(other)))])
    return "\n".join(lines)


def hierarchy(occupations: tuple[Occupation, ...]) -> csr_array:
    """[occupations, occupations] grades of those in the same group of ISCO."""
    grades = sparse.csr_array((len(occupations),) * 2, dtype=np.float32)
    for digits, grade in ((3, MINOR), (4, UNIT)):
        groups = np.unique([o.group[:digits] for o in occupations], return_inverse=True)[1]
        one = np.ones(len(groups), np.float32)
        member: Any = csr_array((one, (np.arange(len(groups)), groups)))
        grades = grades.maximum((member @ member.T) * grade)
    return csr_array(grades)


def overlap(links: csr_array) -> csr_array:
    """[occupations, occupations] grades of those with links in common, by their cosine."""
    rows: Any = TfidfTransformer(sublinear_tf=False).fit_transform(links)
    near = csr_array(rows @ rows.T)
    grades = np.zeros(len(near.data), np.float32)
    for least, grade in reversed(OVERLAPS):
        grades[near.data >= least] = grade
    near.data = grades
    near.eliminate_zeros()
    return near
