"""A toy labour market: profiles and jobs speak of the same skills in different words."""

import numpy as np
from scipy import sparse

from recsys.explicit import Documents, Inventory, Relevance, SpaceSettings
from recsys.features.ngrams import Ngrams
from recsys.tables import Hash

SKILLS = 16
SMALL = SpaceSettings(
    ngrams=Ngrams(pairs=False, pieces=1),
    words=12,
    table=Hash(rows=2048),
    width=32,
    lookups=1,
    active=8,
    batch=32,
    epochs=12,
    rate=0.02,
    dense_rate=0.01,
    terms=512,
)
INVENTORY = Inventory(tuple(f"skill {n} of craft{n}" for n in range(SKILLS)))


def market(seed: int, *, people: int = 128, given: bool = False) -> Relevance:
    """As many profiles as jobs, of two skills each; those that share one are relevant, those that
    share both twice as much. Half of what they have is known.
    """
    rng = np.random.default_rng(seed)
    own = np.array([rng.choice(SKILLS, 2, replace=False) for _ in range(people)])
    wanted = np.array([rng.choice(SKILLS, 2, replace=False) for _ in range(people)])
    grades = has(own) @ has(wanted).T
    return Relevance(
        documents(own, "did", rng, given=given),
        documents(wanted, "wants", rng, given=False),
        sparse.csr_array(grades.astype(np.float32)),
    )


def documents(skills: np.ndarray, verb: str, rng: np.random.Generator, *, given: bool) -> Documents:
    """Texts that say each skill in one of three words, which another kind of text does not use."""
    texts = tuple(
        " ".join(f"{verb} {verb}{skill}word{rng.integers(3)}" for skill in row) for row in skills
    )
    known = sparse.csr_array(has(skills[:, :1]).astype(np.float32))
    stated = sparse.csr_array(has(skills[:, 1:]).astype(np.float32) * float(given))
    return Documents(texts, stated, known)


def has(skills: np.ndarray) -> np.ndarray:
    found = np.zeros((len(skills), SKILLS), int)
    np.put_along_axis(found, skills, 1, axis=1)
    return found
