"""Inverted lists of codes of 8 bits an entry: a quarter of the memory, scored again exactly."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recsys.index.faiss_base import FaissBase, built, lists_for, read
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class SQ8:
    """Looks into the lists nearest to the query; a byte an entry in memory."""

    lists: int | None = None  # at least 1; None goes by the catalogue
    probes: int = 8  # lists a search looks into, at least; a build raises it to what recall takes
    oversample: int = 2  # rows scored again by their vectors, for each one wanted

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Any vectors will do."""

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> FaissBase:
        lists = self.lists or lists_for(len(vectors))
        found_by = built(vectors, f"IVF{lists},SQ8")
        return FaissBase(vectors, found_by, effort=self.probes, oversample=self.oversample)

    def open(self, directory: Path) -> FaissBase:
        return read(directory, effort=self.probes, oversample=self.oversample)
