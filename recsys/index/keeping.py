"""A directory in which an index keeps its changes: journals, and the bases built from them.

    CURRENT       the generation that counts, replaced in one move; none is 0
    base-3        the base of generation 3; that of 0 is the release's
    journal-3     changes to it, and further journals with changes made while the next was built

Whenever a process dies, CURRENT names a base that is whole, and the journals from its number on
hold every change since.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from recsys.durable import sync
from recsys.index.journal import Change, Journal

CURRENT = "CURRENT"


class Kept:
    """Changes on disk. One process has it open."""

    def __init__(self, directory: Path, *, rows: int, dim: int):
        """Opens the directory, or begins it.

        Args:
            directory: Where.
            rows: Of the index that the changes began with; a directory of another is refused.
            dim: Of its vectors.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self._rows, self._dim = directory, rows, dim
        path = directory / CURRENT
        self.generation: int = json.loads(path.read_text()) if path.exists() else 0
        numbers = [n for n in _numbers(directory, "journal") if n >= self.generation]
        self._journals = {n: self._journal(n) for n in numbers or [self.generation]}
        self._tidy()

    @property
    def base(self) -> Path | None:
        """Where the current base is; None: that of the release counts."""
        return self.directory / f"base-{self.generation}" if self.generation else None

    def changes(self) -> Iterator[Change]:
        """Every change to the current base, in order."""
        for number in sorted(self._journals):
            yield from self._journals[number].changes()

    def add(self, change: Change) -> None:
        """Writes a change; when this returns it is on disk."""
        self._journals[max(self._journals)].add(change)

    def begin(self) -> int:
        """Opens the journal of the next generation; changes go there from now on."""
        number = max(self._journals) + 1
        self._journals[number] = self._journal(number)
        return number

    def settle(self, number: int, save: Callable[[Path], None]) -> Path:
        """Saves the base of a generation and makes it the one that counts."""
        partial = self.directory / f"partial-{number}"
        shutil.rmtree(partial, ignore_errors=True)
        save(partial)
        for path in (*partial.iterdir(), partial):
            sync(path)
        base = partial.rename(self.directory / f"base-{number}")
        draft = self.directory / f"{CURRENT}.draft"
        draft.write_text(json.dumps(number))
        sync(draft)
        sync(self.directory)
        draft.replace(self.directory / CURRENT)
        sync(self.directory)
        self.generation = number
        self._tidy()
        return base

    def close(self) -> None:
        for journal in self._journals.values():
            journal.close()

    def _journal(self, number: int) -> Journal:
        return Journal(self.directory / f"journal-{number}", rows=self._rows, dim=self._dim)

    def _tidy(self) -> None:
        """Removes what no longer counts; files that are still mapped live on until they are not."""
        for number in _numbers(self.directory, "journal"):
            if number < self.generation:
                if number in self._journals:
                    self._journals.pop(number).close()
                (self.directory / f"journal-{number}").unlink()
        for number in _numbers(self.directory, "base"):
            if number != self.generation:
                shutil.rmtree(self.directory / f"base-{number}")
        for path in self.directory.glob("partial-*"):
            shutil.rmtree(path)


def folded(changes: Iterable[Change], dim: int) -> tuple[Change, Change]:
    """Many changes as two: what is gone in the end, and what is there."""
    last: dict[int, np.ndarray | None] = {}
    for change in changes:
        vectors = change.vectors if change.kind == "upsert" else [None] * len(change.ids)
        last.update(zip(change.ids.tolist(), vectors, strict=True))
    gone = np.array([key for key, vector in last.items() if vector is None], np.int64)
    ids = np.array([key for key, vector in last.items() if vector is not None], np.int64)
    there = [vector for vector in last.values() if vector is not None]
    vectors = np.stack(there) if there else np.zeros((0, dim), np.float32)
    empty = np.zeros((0, dim), np.float32)
    return Change("delete", gone, empty), Change("upsert", ids, vectors)


def _numbers(directory: Path, what: str) -> list[int]:
    return sorted(int(path.name.partition("-")[2]) for path in directory.glob(f"{what}-*"))
