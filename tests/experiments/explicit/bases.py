"""Small knowledge bases in memory, with as many groups of occupations as splits want."""

import numpy as np
from scipy.sparse import csr_array

from recsys.data.datasets import esco, onet
from recsys.data.datasets.onet import ONET, Concepts

GROUPS, EACH = 10, 3
OCCUPATIONS = GROUPS * EACH


def onet_base() -> ONET:
    """Thirty occupations in ten minor groups; neighbours in a group are related."""
    occupations = tuple(
        onet.Occupation(
            code=f"{11 + n // EACH}-1{n:03}.00",
            title=f"Makers of thing{n}",
            description=f"Make and mend thing{n}.",
            alternate_titles=tuple(f"Thing{n} Hand {k}" for k in range(4)),
            tasks=tuple(f"Do chore {n} {k}." for k in range(6)),
        )
        for n in range(OCCUPATIONS)
    )
    group = np.arange(OCCUPATIONS) // EACH
    related = (group[:, None] == group[None, :]) * 3.0 * ~np.eye(OCCUPATIONS, dtype=bool)
    return ONET(
        occupations,
        technologies=drawn("Software", 8, seed=0),
        tools=drawn("Tool", 8, seed=1),
        activities=drawn("Do", 8, seed=2),
        related=csr_array(related.astype(np.float32)),
    )


def drawn(word: str, count: int, *, seed: int) -> Concepts:
    """Concepts that any occupation has with a probability of one half."""
    linked = np.random.default_rng(seed).random((OCCUPATIONS, count)) < 0.5
    names = tuple(f"{word} {n}" for n in range(count))
    return Concepts(names, csr_array(linked.astype(np.float32)))


def ratings() -> Concepts:
    """Random ratings from 1 to 5."""
    rows = np.random.default_rng(3).uniform(1, 5, (OCCUPATIONS, 6)).astype(np.float32)
    return Concepts(tuple(f"Knowledge {n}" for n in range(6)), csr_array(rows))


def esco_base() -> esco.ESCO:
    """Thirty occupations in ten minor groups, and twelve skills, two of one label."""
    occupations = tuple(
        esco.Occupation(
            uri=f"o/{n}",
            label=f"thing{n} maker",
            alternatives=tuple(f"maker {k} of thing{n}" for k in range(4)),
            description=f"They make thing{n}.",
            group=f"{100 + n // EACH}{n % 2}",
            code=f"{n}",
        )
        for n in range(OCCUPATIONS)
    )
    skills = tuple(
        esco.Skill(
            uri=f"s/{n}",
            label=f"skill {max(n, 1)}",
            alternatives=(f"skill {max(n, 1)}", f"ability {n}"),
            description=f"To be able to do {n}.",
            kind="knowledge" if n else "skill/competence",
            reuse="transversal",
        )
        for n in range(12)
    )
    links = np.random.default_rng(4).random((2, OCCUPATIONS, 12)) < 0.4
    essential, optional = (csr_array(one.astype(np.float32)) for one in links)
    return esco.ESCO(occupations, skills, essential=essential, optional=optional)
