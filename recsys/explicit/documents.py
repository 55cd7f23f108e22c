"""Documents in words and in skills, and which of them belong together."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer
from scipy import sparse
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.explicit.inventory import Inventory


@dataclasses.dataclass(frozen=True, eq=False)
class Documents:
    """Texts, the skills that come with them, and the skills they are known to have.

    `given` is an input: what a profile states beside its text. `known` is what training is told: a
    grade above 0 for a skill that is there; of all others nobody knows. `words` are what a linker
    says that the words of the text count by themselves; None where none has read it.

    Raises:
        ValueError: the parts are of different documents, or an entry is no number of at least 0.
    """

    texts: tuple[str, ...]
    given: csr_array  # [documents, skills]
    known: csr_array  # [documents, skills]
    words: csr_array | None = None  # [documents, words]

    def __post_init__(self):
        skills = []
        for name in ("given", "known", "words"):
            if getattr(self, name) is None:
                continue
            matrix = _checked(getattr(self, name), name)
            rows, columns = size(matrix)
            if rows != len(self.texts):
                raise ValueError(
                    f"Documents want a row of {name} a text, got {rows:,} rows for "
                    f"{len(self.texts):,} texts: use an empty row where there is none."
                )
            skills.append(columns)
            object.__setattr__(self, name, matrix)
        if skills[0] != skills[1]:
            raise ValueError(
                f"Documents want given and known over one inventory, got {skills[0]:,} and "
                f"{skills[1]:,} skills: number both by the same inventory."
            )

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        inventory: Inventory,
        *,
        given: Sequence[Mapping[str, float] | Iterable[str]] | None = None,
        known: Sequence[Mapping[str, float] | Iterable[str]] | None = None,
    ) -> "Documents":
        """With skills by name: lists of names, or names and grades; None where there are none.

        Raises:
            ValueError: a skill is unknown.
        """
        texts = tuple(texts)
        return cls(
            texts,
            by_name(given, inventory, documents=len(texts)),
            by_name(known, inventory, documents=len(texts)),
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(self.texts)

    @property
    def skills(self) -> int:
        """How many skills there are to have."""
        return size(self.given)[1]

    def take(self, numbers: Integer[np.ndarray, "taken"]) -> "Documents":
        """Some of them, in this order."""
        numbers = np.asarray(numbers)
        texts = tuple(self.texts[number] for number in numbers.tolist())
        given: Any = self.given
        known: Any = self.known
        words: Any = self.words
        own = None if words is None else words[numbers]
        return Documents(texts, given[numbers], known[numbers], own)

    def between(self, start: int, stop: int) -> "Documents":
        """Some that stand side by side."""
        return self.take(np.arange(start, stop))


@dataclasses.dataclass(frozen=True, eq=False)
class Relevance:
    """Profiles, jobs, and which jobs are relevant to which profiles.

    Raises:
        ValueError: the grades are of other documents, or those of other skills.
    """

    profiles: Documents
    jobs: Documents
    grades: csr_array  # [profiles, jobs]; above 0 is relevant

    def __post_init__(self):
        grades = _checked(self.grades, "grades")
        wanted, found = (len(self.profiles), len(self.jobs)), size(grades)
        if found != wanted:
            raise ValueError(
                f"Relevance wants grades of {wanted[0]:,} profiles and {wanted[1]:,} jobs, got "
                f"{found[0]:,} and {found[1]:,}: number rows and columns like them."
            )
        if self.profiles.skills != self.jobs.skills:
            raise ValueError(
                f"Relevance wants profiles and jobs over one inventory, got "
                f"{self.profiles.skills:,} and {self.jobs.skills:,} skills: number both alike."
            )
        object.__setattr__(self, "grades", grades)

    def of_profiles(self, numbers: Integer[np.ndarray, "taken"]) -> "Relevance":
        """Some of the profiles, and all jobs."""
        grades: Any = self.grades
        return Relevance(self.profiles.take(numbers), self.jobs, grades[numbers])


def by_name(
    rows: Sequence[Mapping[str, float] | Iterable[str]] | None,
    inventory: Inventory,
    *,
    documents: int,
) -> csr_array:
    """Rows of skills by name as a matrix; a name that comes twice counts by its highest grade.

    Raises:
        ValueError: a skill is unknown, or a row is one text and no list.
    """
    if not rows:
        return sparse.csr_array((documents, len(inventory)), dtype=np.float32)
    found: list[dict[int, float]] = []
    for row in rows:
        if isinstance(row, str):
            raise ValueError(f"Skills come as a list of names, got the text {row!r}: cut it up.")
        pairs = row.items() if isinstance(row, Mapping) else ((name, 1.0) for name in row)
        own: dict[int, float] = {}
        for name, grade in pairs:
            number = inventory.number(name)
            own[number] = max(own.get(number, 0.0), float(grade))
        found.append(own)
    counts = np.cumsum([0, *(len(own) for own in found)])
    numbers = np.array([number for own in found for number in own], np.int64)
    grades = np.array([grade for own in found for grade in own.values()], np.float32)
    return sparse.csr_array((grades, numbers, counts), shape=(len(found), len(inventory)))


def _checked(matrix: Any, name: str) -> csr_array:
    """The matrix in float32, sorted, without zeros."""
    if isinstance(matrix, csr_array) and matrix.dtype == np.float32 and not matrix.nnz:
        return matrix
    matrix = sparse.csr_array(matrix, dtype=np.float32)
    matrix.sum_duplicates()
    if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        raise ValueError(
            f"Entries of {name} are finite and at least 0, got others: what is unknown is 0."
        )
    matrix.eliminate_zeros()
    return matrix
