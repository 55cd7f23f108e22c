"""Who met what: users and items of an implicit-feedback log as sparse matrices of zeros and ones.

Published splits of retrieval data sets come as text, a user and the items it met on each line.
"""

import dataclasses
import gzip
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

Pairs = list[tuple[int, int]]


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """A split by pairs: what users met before, and what they are to be asked for."""

    train: csr_array  # (users, items), 1 where a user met an item
    test: csr_array  # of the same shape; no pair stands in both
    titles: tuple[str, ...] | None = None  # of the items, where the data has them

    def __post_init__(self) -> None:
        """Refuses a test that asks for what was shown, or that is about others."""
        if self.train.shape != self.test.shape:
            raise ValueError(
                f"Train and test want the same users and items, got {self.train.shape} and "
                f"{self.test.shape}: number them together."
            )
        both = self.train.multiply(self.test).nnz
        if both:
            raise ValueError(
                f"Train and test want different pairs, got {both:,} that stand in both: drop them "
                "from one, since seen items are never recommended."
            )

    @property
    def users(self) -> int:
        """How many users there are."""
        return self.train.shape[0]

    @property
    def items(self) -> int:
        """How many items there are: the catalogue that is ranked."""
        return self.train.shape[1]

    def validation(self, share: float = 0.1, *, seed: int = 0) -> "Interactions":
        """The same train, part of which becomes the test: for choosing, so that test stays unread.

        Of each user `share` of its items, rounded down, is put aside at random.
        """
        matrix = self.train
        rng = np.random.default_rng(seed)
        counts = np.diff(matrix.indptr)
        user = np.repeat(np.arange(self.users), counts)
        order = np.lexsort((rng.random(matrix.nnz), user))  # a random order within each user
        place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
        is_aside = np.zeros(matrix.nnz, bool)
        is_aside[order] = place < np.repeat((counts * share).astype(np.int64), counts)
        parts = [
            sparse(user[kept], matrix.indices[kept], matrix.shape) for kept in (~is_aside, is_aside)
        ]
        return Interactions(*parts, titles=self.titles)


def sparse(
    users: np.ndarray,
    items: np.ndarray,
    shape: tuple[int, int],
) -> csr_array:
    """Pairs as a sparse matrix of float32; a pair that comes twice counts once."""
    matrix = csr_array((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def read_lists(*paths: Path) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of files whose lines are `user item item ...`, whole or gzipped.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line holds something else, or a file ends before its end.
    """
    users: list[np.ndarray] = []
    items: list[np.ndarray] = []
    for path in paths:
        for number, line in enumerate(_lines(path), start=1):
            try:
                ids = np.array(line.split(), np.int64)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number} wants a user and items, all whole numbers, got "
                    f"{line[:40]!r}: mend the line or fetch the file again."
                ) from error
            if len(ids):
                users.append(np.full(len(ids) - 1, ids[0]))
                items.append(ids[1:])
    if not users:
        raise ValueError(f"{[str(path) for path in paths]} hold no line: fetch them again.")
    return np.concatenate(users), np.concatenate(items)


def split_from_lists(train: tuple[Path, ...], test: tuple[Path, ...]) -> Interactions:
    """A published split whose two sides come as lists of the same numbering."""
    pairs = [read_lists(*paths) for paths in (train, test)]
    users, items = (
        1 + max(int(side.max(initial=-1)) for side in sides) for sides in zip(*pairs, strict=True)
    )
    return Interactions(*(sparse(*pair, (users, items)) for pair in pairs))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is wanted and is not there: give the folder that holds it."
        )
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is truncated or edited ({error}): fetch it again.") from error
