"""Who met what: users and items of an implicit-feedback log as sparse matrices of zeros and ones.

Published splits of retrieval data sets come as text, a user and the items it met on each line.
"""

import dataclasses
import gzip
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Bool, Integer, Num
from scipy.sparse import csr_array


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
        return size(self.train)[0]

    @property
    def items(self) -> int:
        """How many items there are: the catalogue that is ranked."""
        return size(self.train)[1]

    def validation(self, share: float = 0.1, *, seed: int = 0) -> "Interactions":
        """The same train, part of which becomes the test: for choosing, so that test stays unread.

        Of each user `share` of its items, rounded down, is put aside at random.
        """
        matrix, shape = self.train, size(self.train)
        rng = np.random.default_rng(seed)
        counts = np.diff(matrix.indptr)
        user = np.repeat(np.arange(self.users), counts)
        order = np.lexsort((rng.random(matrix.nnz), user))  # a random order within each user
        place = np.arange(matrix.nnz) - np.repeat(matrix.indptr[:-1], counts)
        is_aside = np.zeros(matrix.nnz, bool)
        is_aside[order] = place < np.repeat((counts * share).astype(np.int64), counts)
        train, test = (
            sparse(user[kept], matrix.indices[kept], shape) for kept in (~is_aside, is_aside)
        )
        return Interactions(train, test, titles=self.titles)

    def about(self, items: Bool[np.ndarray, " items"]) -> "Interactions":
        """The same train, asked for some of the items only, as for those nobody met in it."""
        user = np.repeat(np.arange(self.users), np.diff(self.test.indptr))
        kept = items[self.test.indices]
        test = sparse(user[kept], self.test.indices[kept], size(self.test))
        return dataclasses.replace(self, test=test)


def size(matrix: csr_array) -> tuple[int, int]:
    """Rows and columns; SciPy's own annotation of `shape` allows None."""
    return cast(tuple[int, int], matrix.shape)


def sparse(
    users: Integer[np.ndarray, " pairs"],
    items: Integer[np.ndarray, " pairs"],
    shape: tuple[int, int],
) -> csr_array:
    """Pairs as a sparse matrix of float32; a pair that comes twice counts once."""
    matrix = csr_array((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def read_lists(
    *paths: Path,
) -> tuple[Integer[np.ndarray, " pairs"], Integer[np.ndarray, " pairs"]]:
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
    before, after = read_lists(*train), read_lists(*test)
    users, items = (
        1 + max(int(side.max(initial=-1)) for side in sides)
        for sides in zip(before, after, strict=True)
    )
    return Interactions(sparse(*before, (users, items)), sparse(*after, (users, items)))


def split_by_time(
    users: Integer[np.ndarray, " pairs"],
    items: Integer[np.ndarray, " pairs"],
    timestamps: Num[np.ndarray, " pairs"],
    *,
    share: float = 0.1,
) -> Interactions:
    """What came last is test, for all users at one moment, so that nothing knows its future.

    A pair that came before is not asked for again. Users and items without anything in train are
    cold: they stay, and are to be told apart.

    Args:
        users: numbered from 0.
        items: numbered from 0.
        timestamps: in any unit.
        share: of the pairs, which come after that moment; those of one timestamp stay together.

    Raises:
        ValueError: nothing would be train, or nothing test.
    """
    moment = np.quantile(timestamps, 1 - share) if 0 < share < 1 and len(users) else np.inf
    is_after = timestamps > moment
    if is_after.all() or not is_after.any():
        raise ValueError(
            f"A split by time wants pairs on both sides of a moment, got {len(users):,} pairs and "
            f"share={share}: use another share, in (0, 1)."
        )
    shape = (1 + int(users.max()), 1 + int(items.max()))
    train = sparse(users[~is_after], items[~is_after], shape)
    pairs = users.astype(np.int64) * shape[1] + items
    is_new = is_after & ~np.isin(pairs, pairs[~is_after])
    return Interactions(train, sparse(users[is_new], items[is_new], shape))


def existing(directory: Path, name: str) -> Path:
    """The file of this name, or its gzipped form where that is what there is."""
    plain, zipped = directory / name, directory / f"{name}.gz"
    return zipped if zipped.is_file() else plain


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
