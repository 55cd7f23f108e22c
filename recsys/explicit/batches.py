"""Batches of training: a profile and a job that is relevant to it, and texts of skills.

Everything follows from (seed, step). The other jobs of a batch are negatives to a profile, but for
those that are relevant to it. The text of a skill is a document that is known to have the skill.
"""

from typing import Any

import numpy as np
from jaxtyping import Float32, Int
from scipy.sparse import csr_array

from recsys.data.loader import place_of
from recsys.data.order import permute
from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.encoding import encoded, taken
from recsys.explicit.inventory import Inventory
from recsys.features.links import Rectangle, rectangle
from recsys.models.explicit import Explicit
from recsys.models.pairs import Pairs

MOST_KNOWN = 512  # skills that are known of a document; the highest grades, where there are more


class PairBatches:
    """Every profile once an epoch, with one of its jobs, drawn by grade.

    A profile without a relevant job comes with any job and teaches known skills alone.
    """

    def __init__(
        self,
        spec: Explicit,
        inventory: Inventory,
        train: Relevance,
        *,
        size: int,
        texts_of_skills: int,
        seed: int,
    ):
        """Batches of `size` pairs and so many texts of skills.

        Raises:
            ValueError: there is no profile, or no job.
        """
        if not len(train.profiles) or not len(train.jobs):
            raise ValueError(
                f"Training wants profiles and jobs, got {len(train.profiles):,} and "
                f"{len(train.jobs):,}: give both."
            )
        self.spec, self.seed, self.texts_of_skills = spec, seed, texts_of_skills
        self.size = min(size, len(train.profiles))
        self.grades: Any = train.grades
        self.counts = np.diff(self.grades.indptr)
        own = skill_documents(inventory)
        documents = (train.profiles, train.jobs, own)
        self._sides = [encoded(spec, part) for part in documents]
        self._stated = [np.asarray(side.given) for side in self._sides]
        most = max(int(np.diff(part.known.indptr).max(initial=1)) for part in documents)
        most = min(most, MOST_KNOWN)
        self._known: list[Rectangle] = [rectangle(part.known, most=most) for part in documents]
        self.log_count = self._expected()

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one epoch."""
        return len(self.counts) // self.size

    @property
    def order(self) -> dict[str, Any]:
        """What the order of the examples follows from."""
        return {"profiles": len(self.counts), "size": self.size, "seed": self.seed}

    def batch(self, step: int) -> Pairs:
        """Batch number `step`, counted from 0 over all epochs."""
        epoch, place = place_of(step, self)
        positions = np.arange(place * self.size, (place + 1) * self.size)
        profiles = permute(positions, len(self.counts), key=(self.seed, epoch))
        rng = np.random.default_rng((self.seed, step))
        jobs = self._jobs(profiles, rng)
        skills = rng.integers(0, self.spec.skills, self.texts_of_skills)
        chosen = (profiles, jobs, skills)
        sides = zip(self._sides, self._known, chosen, strict=True)
        parts = [
            taken(side, rows) | {"known": known.numbers[rows], "grade": known.grades[rows]}
            for side, known, rows in sides
        ]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        is_relevant = self.grades[profiles][:, jobs].toarray() > 0
        is_relevant |= jobs[:, None] == jobs[None, :]
        return Pairs(
            **joined,
            is_relevant=is_relevant,
            log_count=self.log_count[jobs],
            pair_weight=(self.counts[profiles] > 0).astype(np.float32),
        )

    def _jobs(
        self, profiles: Int[np.ndarray, " pairs"], rng: np.random.Generator
    ) -> Int[np.ndarray, " pairs"]:
        """A relevant job for each profile, by grade; any, where there is none."""
        found = rng.integers(0, self.grades.shape[1], len(profiles))
        for place in np.flatnonzero(self.counts[profiles]):
            start, stop = self.grades.indptr[profiles[place] : profiles[place] + 2]
            total = np.cumsum(self.grades.data[start:stop])
            at = np.searchsorted(total, rng.random() * total[-1], side="right")
            found[place] = self.grades.indices[start + min(int(at), stop - start - 1)]
        return found

    def _expected(self) -> Float32[np.ndarray, " jobs"]:
        """Of each job, the log of how often it is expected in a batch."""
        total = np.repeat(np.maximum(self.grades.sum(axis=1), 1e-30), self.counts)
        share = self.grades.data / total
        jobs = self.grades.shape[1]
        each = np.bincount(self.grades.indices, weights=share, minlength=jobs)
        each = each + (self.counts == 0).sum() / jobs
        return np.log(np.maximum(each * self.size / len(self.counts), 1e-9)).astype(np.float32)


def skill_documents(inventory: Inventory) -> Documents:
    """The texts of skills as documents, each known to have its skill."""
    count = len(inventory)
    known = csr_array(
        (np.ones(count, np.float32), np.arange(count), np.arange(count + 1)), shape=(count, count)
    )
    return Documents(inventory.texts, csr_array((count, count), dtype=np.float32), known)
