"""A base that faiss searches: what IVF, HNSW, SQ8 and PQ share.

faiss proposes rows; where it keeps codes in place of vectors, the proposed rows are scored again
by the vectors themselves, so that scores are exact whatever the codes. One number, the effort,
says how much a search looks at, and `recall.py` raises it until enough is found.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index.exact import VECTORS, Stored, mapped
from recsys.index.found import NOTHING, Rows

FILE = "faiss.index"
MANY = 1 << 21  # pairs of queries and rows that are worth more than one thread
LINKS = 32  # rows that a graph's search looks at for each candidate, about
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WHERE = "It comes with `pip install recsys[serve]`; Exact needs nothing."


def library() -> Any:
    """faiss, or one sentence on how to get it."""
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            f"This index wants faiss, which is not installed ({error}). {WHERE}"
        ) from error
    return faiss


class FaissBase(Stored):
    """Vectors, and faiss's way to the best of them."""

    is_exact = False
    reasons = 0

    def __init__(
        self,
        vectors: Float32[np.ndarray, "rows dim"],
        found_by: Any,
        *,
        effort: int,
        oversample: int = 1,
    ):
        """A base.

        Args:
            vectors: The rows themselves.
            found_by: faiss's index of the same rows.
            effort: Lists that IVF looks into, or candidates that HNSW keeps.
            oversample: Rows that are scored again for each one wanted; 1 trusts faiss's scores.
        """
        super().__init__(vectors)
        self.effort = effort
        self._index = found_by
        self._oversample = oversample
        self._lists = getattr(found_by, "nlist", None)
        self.most_effort: int = self._lists or len(vectors)

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        mask: Bool[np.ndarray, "rows"] | None,
    ) -> Rows:
        _share_work(len(queries) * self._looked_at)
        wanted = min(k * self._oversample, len(self.all))
        scores, rows = self._index.search(
            np.ascontiguousarray(queries), wanted, params=self._parameters(wanted, mask)
        )
        if self._oversample == 1:
            return Rows(rows, np.where(rows == NOTHING, -np.inf, scores).astype(np.float32))
        return self._scored_again(queries, rows, k)

    @property
    def _looked_at(self) -> int:
        """Rows that a query is compared with, roughly."""
        rows = len(self.all)
        return rows * self.effort // self._lists if self._lists else min(rows, LINKS * self.effort)

    def save(self, directory: Path) -> None:
        super().save(directory)
        library().write_index(self._index, str(directory / FILE))

    def _parameters(self, wanted: int, mask: Bool[np.ndarray, "rows"] | None) -> Any:
        faiss = library()
        allowed = {}
        if mask is not None:
            allowed["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        if self._lists:
            return faiss.SearchParametersIVF(nprobe=min(self.effort, self._lists), **allowed)
        return faiss.SearchParametersHNSW(efSearch=max(self.effort, wanted), **allowed)

    def _scored_again(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        rows: Int64[np.ndarray, "queries wanted"],
        k: int,
    ) -> Rows:
        vectors = self.all[np.maximum(rows, 0)]
        scores = np.einsum("qd,qwd->qw", queries, vectors)
        scores[rows == NOTHING] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return Rows(
            np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
        )


def built(vectors: Float32[np.ndarray, "rows dim"], factory: str, *, rounds: int = 10) -> Any:
    """faiss's index of the rows, by inner product; trained on at most 64 rows a list."""
    faiss = library()
    _share_work(64 * len(vectors))
    index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
    learned = (getattr(part, "cp", None) for part in (index, getattr(index, "pq", None)))
    for clustering in filter(None, learned):  # of lists, and of codes
        clustering.niter, clustering.max_points_per_centroid = rounds, 64
        clustering.min_points_per_centroid = 1  # lists are few where rows are: no word on stderr
    index.train(np.ascontiguousarray(vectors))
    index.add(np.ascontiguousarray(vectors))
    return index


def _share_work(pairs: int) -> None:
    """Lets faiss use one core or all for what this thread does next; threads wait by spinning."""
    library().omp_set_num_threads(CORES if pairs >= MANY else 1)


def read(directory: Path, *, effort: int, oversample: int = 1) -> FaissBase:
    """A saved base."""
    path = directory / FILE
    try:
        found_by = library().read_index(str(path))
    except RuntimeError as error:
        raise ValueError(f"{path} is not an index that faiss reads: build it again.") from error
    vectors = mapped(directory)
    if found_by.ntotal != len(vectors) or found_by.d != vectors.shape[1]:
        raise ValueError(
            f"{path} wants {vectors.shape} vectors like {VECTORS} beside it, got "
            f"{(found_by.ntotal, found_by.d)}: build the index again."
        )
    return FaissBase(vectors, found_by, effort=effort, oversample=oversample)


def lists_for(count: int) -> int:
    """Lists of about sqrt(count) / 4 rows each, of 39 rows at the least, which faiss asks for."""
    return int(max(1, min(4 * count**0.5, count // 39)))
