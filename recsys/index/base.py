"""THE INTERFACE: what a kind of index is. A spec builds or opens a base; `Index` does the rest.

A base is built once and never changes: rows of vectors, and a way to the best of them. Ids, live
updates, filters and exclusions are the same for every kind and live in `index.py`, `segments.py`
and `planning.py`.
"""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index.found import Rows


@runtime_checkable
class Base(Protocol):
    """Rows of vectors that do not change."""

    @property
    def is_exact(self) -> bool:
        """Whether `search` always finds the very best."""
        ...

    @property
    def reasons(self) -> int:
        """How many entries a search names for each item found; 0 where they have no names."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and entries of the vectors."""
        ...

    @property
    def effort(self) -> int:
        """How much a search looks at; a larger one finds more. 0 where there is no choice."""
        ...

    @effort.setter
    def effort(self, effort: int) -> None: ...

    @property
    def most_effort(self) -> int:
        """The largest that makes a difference."""
        ...

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        mask: Bool[np.ndarray, "rows"] | None,
    ) -> Rows:
        """Good rows that the mask allows, best first, with exact scores; it may miss some."""
        ...

    def scan(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        rows: Int64[np.ndarray, "chosen"] | None,
        excluded: Int64[np.ndarray, "queries excluded"] | None = None,
    ) -> Rows:
        """The very best of the chosen rows, in ascending order, less a query's own; None is all."""
        ...

    def vectors(self, rows: Int64[np.ndarray, "chosen"]) -> Float32[np.ndarray, "chosen dim"]:
        """Rows as they were given."""
        ...

    def save(self, directory: Path) -> None:
        """Writes its files; the spec's `open` reads them."""
        ...


@runtime_checkable
class Spec(Protocol):
    """A choice of an index: a frozen dataclass, one line in the registry."""

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Refuses vectors that this kind cannot hold, few or many."""
        ...

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> Base:
        """A base of these rows.

        Raises:
            ValueError: they are too few for this kind.
        """
        ...

    def open(self, directory: Path) -> Base:
        """The base that was saved there, its vectors mapped and not read."""
        ...
