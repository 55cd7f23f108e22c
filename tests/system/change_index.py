"""Changes an index without end and tells of each change that was acknowledged: to be killed.

    python -m tests.system.change_index INDEX KEPT FIRST

A change follows from its number alone, so whoever reads the numbers knows what must be there.
"""

import dataclasses
import sys
import threading
from pathlib import Path

import numpy as np

from recsys.index import Index

COUNT, DIM, NEW = 200, 8, 60  # items of the base, entries, ids beyond the base
REBUILT = 40  # changes between two new bases


@dataclasses.dataclass(frozen=True)
class Made:
    """A change by its number."""

    ids: list[int]
    value: float | None  # of every entry; None deletes

    @classmethod
    def of(cls, number: int) -> "Made":
        rng = np.random.default_rng(number)
        ids = rng.choice(COUNT + NEW, rng.integers(1, 6), replace=False).tolist()
        return cls(ids, None if number % 3 == 0 else float(number))


def main(index: Path, kept: Path, first: int) -> None:
    """Makes changes until somebody ends it."""
    found = Index.load(index)
    found.keep(kept)
    number = first
    while True:
        made = Made.of(number)
        ids = np.array(made.ids)
        if made.value is None:
            found.delete(ids)
        else:
            found.upsert(ids, np.full((len(ids), DIM), made.value, np.float32))
        print(number, flush=True)
        if number % REBUILT == 0:
            threading.Thread(target=found.compact, daemon=True).start()
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
