"""What every protocol of explicit spaces must hold to, and how documents are dealt to splits.

Profiles and jobs are different texts of a knowledge base. Groups of occupations are held out whole,
so that nothing of a test occupation is seen in training. What says which job suits which profile is
another table than the one that says which skill belongs to which document: a model that learnt the
skills by heart would still have to find out what relevance is. `check` refuses all else.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_array

from recsys.explicit import Inventory, Relevance

SHARES = {"train": 0.6, "valid": 0.1, "test": 0.3}
SAME = 4.0  # the grade of a profile's own occupation, above every tier of related ones


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """One split: its documents, and a second opinion on relevance."""

    relevance: Relevance
    profile_of: Int[np.ndarray, " profiles"]  # the occupation of each profile
    job_of: Int[np.ndarray, " jobs"]  # the occupation of each job
    second: csr_array  # [profiles, jobs] grades by another table, which nothing is trained on

    def without_skills(self) -> "Part":
        """The same documents in words alone: nobody states a skill."""
        told = self.relevance
        silent = [
            dataclasses.replace(documents, given=csr_array(documents.given.shape, dtype=np.float32))
            for documents in (told.profiles, told.jobs)
        ]
        return dataclasses.replace(self, relevance=Relevance(silent[0], silent[1], told.grades))


@dataclasses.dataclass(frozen=True, eq=False)
class Protocol:
    """A knowledge base as a task of matching."""

    name: str  # the data, as records spell it
    inventory: Inventory
    parts: Mapping[str, Part]  # train, valid, test

    def without_skills(self) -> "Protocol":
        """The same in words alone."""
        parts = {name: part.without_skills() for name, part in self.parts.items()}
        return dataclasses.replace(self, parts=parts)


def deal(
    groups: Sequence[str], *, rng: np.random.Generator, shares: Mapping[str, float] = SHARES
) -> dict[str, Int[np.ndarray, " members"]]:
    """Places by split, where all of one group are in one split.

    Groups come in random order, and each goes where most is lacking.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group)
    lacking = {split: share * len(groups) for split, share in shares.items()}
    split_of = np.empty(len(names), object)
    for place in rng.permutation(len(names)):
        split = max(lacking, key=lambda name: lacking[name])
        split_of[place] = split
        lacking[split] -= float(sizes[place])
    return {split: np.flatnonzero(split_of[group] == split) for split in shares}


def graded(
    relation: csr_array,
    profile_of: Int[np.ndarray, " profiles"],
    job_of: Int[np.ndarray, " jobs"],
) -> csr_array:
    """Grades of profiles and jobs from those of occupations; one's own occupation is above all."""
    among: Any = relation
    grades: Any = among[profile_of][:, job_of].tolil()
    for place in range(len(profile_of)):
        for own in np.flatnonzero(job_of == profile_of[place]):
            grades[place, own] = SAME
    return csr_array(grades, dtype=np.float32)


def some_of(
    links: csr_array,
    occupation_of: Int[np.ndarray, " documents"],
    *,
    share: float,
    rng: np.random.Generator,
) -> csr_array:
    """Skills that documents state: of their occupation's, each with this probability."""
    whole: Any = links
    rows = csr_array(whole[occupation_of], copy=True)
    rows.data = (rng.random(len(rows.data)) < share).astype(np.float32)
    rows.eliminate_zeros()
    return rows


def known_to(links: csr_array, occupation_of: Int[np.ndarray, " documents"]) -> csr_array:
    """Skills that documents are known to have: all those of their occupation."""
    whole: Any = links
    rows = csr_array(whole[occupation_of], copy=True)
    rows.data = np.ones(len(rows.data), np.float32)
    return rows


def check(protocol: Protocol, *, supervised: csr_array, relation: csr_array) -> None:
    """Refuses a protocol that could be solved by leaking.

    Args:
        supervised: the links that skills are learned from.
        relation: the table that grades are from.

    Raises:
        ValueError: an occupation is in two splits, a text is a profile's and its job's, or
            relevance is the overlap of supervised skills.
    """
    seen: dict[int, str] = {}
    for name, part in protocol.parts.items():
        for occupation in {*part.profile_of.tolist(), *part.job_of.tolist()}:
            if occupation in seen:
                raise ValueError(
                    f"{protocol.name} wants each occupation in one split, and {occupation} is in "
                    f"{seen[occupation]} and {name}: deal whole groups."
                )
            seen[occupation] = name
        for line in shared_lines(part):
            raise ValueError(
                f"{protocol.name} wants other words in profiles than in their jobs, and both say "
                f"{line!r}: make them of different texts."
            )
    if is_overlap(relation, supervised):
        raise ValueError(
            f"{protocol.name} wants relevance from another table than the skills, and its grades "
            "are an overlap of supervised skills: judge by another relation."
        )


def shared_lines(part: Part) -> list[str]:
    """Lines that a profile has in common with a job of its own occupation."""
    told = part.relevance
    lines_of: dict[int, set[str]] = {}
    for occupation, text in zip(part.job_of.tolist(), told.jobs.texts, strict=True):
        lines_of.setdefault(occupation, set()).update(_lines(text))
    return sorted(
        line
        for occupation, text in zip(part.profile_of.tolist(), told.profiles.texts, strict=True)
        for line in _lines(text) & lines_of.get(occupation, set())
    )


def is_overlap(relation: csr_array, supervised: csr_array) -> bool:
    """Whether having a skill in common is all there is to being related."""
    links: Any = supervised.astype(bool).astype(np.float32)
    common: Bool[np.ndarray, "rows rows"] = (links @ links.T).toarray() > 0
    related = relation.toarray() > 0
    np.fill_diagonal(common, val=False)
    np.fill_diagonal(related, val=False)
    return bool(related.any()) and bool((common == related).all())


def _lines(text: str) -> set[str]:
    return {line.strip().rstrip(".").casefold() for line in text.splitlines() if line.strip()}
