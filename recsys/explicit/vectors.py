"""Compiled look-ups of documents: in blocks of a few sizes, so that few programs are compiled."""

from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float32, Int
from scipy import sparse
from scipy.sparse import csr_array

from recsys.explicit.documents import Documents
from recsys.explicit.encoding import encoded, taken
from recsys.features.batch import Batch
from recsys.models.explicit import Entries, ExplicitModel, Pairs

BLOCKS = (1, 8, 64, 256)  # documents at a time


class Programs:
    """What a model makes of documents."""

    def __init__(self, model: ExplicitModel):
        """Copies nothing; a model that changes afterwards is not followed."""
        self.spec = model.spec
        graph, self._state = nnx.split(model)

        def called(name: str):
            def call(state: nnx.State, batch: Batch, side: int) -> Any:
                own: ExplicitModel = nnx.merge(graph, state)
                return getattr(own, name)(own.embed(batch), batch, side)

            return jax.jit(call, static_argnums=2)

        names = ("told", "logits", "entries", "vectors")
        self._calls = {name: called(name) for name in names}

    def told(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents width"]:
        """What documents say, before any head."""
        return self._called("told", documents, side)

    def logits(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents skills"]:
        """How likely each skill is, of every document."""
        return self._called("logits", documents, side)

    def dense(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents dim"]:
        """The vectors of documents, whole."""
        return self._called("vectors", documents, side)

    def sparse(self, documents: Documents, side: int) -> csr_array:
        """The vectors of documents, by the entries above 0."""
        found = self._called("entries", documents, side)
        return as_rows(found, self.spec.skills)

    def _called(self, name: str, documents: Documents, side: int) -> Any:
        """Block by block."""
        call, found = self._calls[name], []
        for start, stop, size in blocks(len(documents)):
            batch = encoded(self.spec, documents.take(np.arange(start, stop)))
            rows = np.minimum(np.arange(size), stop - start - 1)  # padded by the last
            made = call(self._state, as_batch(batch, rows), side)
            found.append(jax.tree.map(lambda a, n=stop - start: np.asarray(a)[:n], made))
        if not found:
            raise ValueError("Vectors want at least one document, got none: give one.")
        return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


def blocks(count: int) -> list[tuple[int, int, int]]:
    """Where blocks start and stop, and how many documents their program takes."""
    most = BLOCKS[-1]
    found = []
    for start in range(0, count, most):
        stop = min(start + most, count)
        found.append((start, stop, next(size for size in BLOCKS if size >= stop - start)))
    return found


def as_batch(batch: Pairs, rows: Int[np.ndarray, " rows"]) -> Pairs:
    """Some rows, without pairs."""
    nothing = np.zeros((len(rows), 0))
    return Pairs(
        **taken(batch, rows),
        known=nothing.astype(np.int32),
        grade=nothing.astype(np.float32),
        is_relevant=np.zeros((0, 0), bool),
        log_count=np.zeros(0, np.float32),
        pair_weight=np.zeros(0, np.float32),
    )


def as_rows(entries: Entries, skills: int) -> csr_array:
    """Entries as a sparse matrix, in the order of skills."""
    places, values = np.asarray(entries.places), np.asarray(entries.values)
    row = np.broadcast_to(np.arange(len(places))[:, None], places.shape)
    is_there = values > 0
    found = (values[is_there], (row[is_there], places[is_there]))
    return sparse.csr_array(found, shape=(len(places), skills), dtype=np.float32)
