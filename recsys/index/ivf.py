"""Inverted lists: items by their nearest centre, whole vectors in each. The default above 50,000.

faiss's IVF,Flat (Sivic and Zisserman, ICCV 2003, for vectors).
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recsys.index.faiss_base import FaissBase, built, lists_for, read
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class IVF:
    """Looks into the lists nearest to the query; all vectors in memory."""

    lists: int | None = None  # at least 1; None goes by the catalogue
    probes: int = 8  # lists a search looks into, at least; a build raises it to what recall takes

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Any vectors will do."""

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> FaissBase:
        lists = self.lists or lists_for(len(vectors))
        return FaissBase(vectors, built(vectors, f"IVF{lists},Flat"), effort=self.probes)

    def open(self, directory: Path) -> FaissBase:
        return read(directory, effort=self.probes)
