"""A graph of near items, walked from far to near: fast without lists to train, more memory.

Malkov and Yashunin, Hierarchical Navigable Small World Graphs, PAMI 2020.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recsys.index.faiss_base import FaissBase, built, read
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class HNSW:
    """Walks a graph of near items; all vectors and links in memory."""

    links: int = 32  # of an item to near ones, at least 2
    candidates: int = 128  # kept on the way, at least; a build raises it to what recall takes

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Any vectors will do."""

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> FaissBase:
        found_by = built(vectors, f"HNSW{self.links},Flat")
        return FaissBase(vectors, found_by, effort=self.candidates)

    def open(self, directory: Path) -> FaissBase:
        return read(directory, effort=self.candidates)
