"""Inverted lists of product codes: the least memory, scored again exactly.

Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, PAMI 2011; codes of 4
bits, of which faiss looks up many at once (André, Kermarrec and Le Scouarnec, VLDB 2015).
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from recsys.index.faiss_base import FaissBase, built, lists_for, read
from recsys.spec import spec

CENTRES = 16  # of one part of a vector, told by 4 bits


@spec
@dataclasses.dataclass(frozen=True)
class PQ:
    """Looks into the lists nearest to the query; some bits an entry in memory."""

    lists: int | None = None  # at least 1; None goes by the catalogue
    probes: int = 8  # lists a search looks into, at least; a build raises it to what recall takes
    parts: int | None = None  # of 4 bits each, a divisor of dim; None: a part for 2 entries
    oversample: int = 8  # rows scored again by their vectors, for each one wanted

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Refuses parts that do not divide."""
        dim = vectors.shape[1]
        if dim % self._parts(dim):
            raise ValueError(f"PQ wants parts that divide dim={dim}, got {self.parts}: use {dim}.")

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> FaissBase:
        if len(vectors) < CENTRES:  # too few to learn codes from
            raise ValueError(f"PQ wants at least {CENTRES} items, got {len(vectors)}: use Exact.")
        lists, parts = self.lists or lists_for(len(vectors)), self._parts(vectors.shape[1])
        found_by = built(vectors, f"IVF{lists},PQ{parts}x4fs")
        return FaissBase(vectors, found_by, effort=self.probes, oversample=self.oversample)

    def open(self, directory: Path) -> FaissBase:
        return read(directory, effort=self.probes, oversample=self.oversample)

    def _parts(self, dim: int) -> int:
        if self.parts is not None:
            return self.parts
        return next(parts for parts in range(max(dim // 2, 1), 0, -1) if dim % parts == 0)
