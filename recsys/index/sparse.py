"""An inverted index of explicit spaces: exact, and every score comes with its reasons.

Entries of an explicit vector have names (skills, genres) and are never negative; few are above
zero. A score is the sum of products entry by entry, so each entry's share is exactly its product.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64
from scipy import sparse

from recsys.index.exact import in_blocks
from recsys.index.found import NOTHING, Reasons, Rows
from recsys.spec import spec

FILE = "postings.npz"


@spec
@dataclasses.dataclass(frozen=True)
class Sparse:
    """Looks at the items that share an entry with the query: exact, with reasons."""

    reasons: int = 5  # entries named for each item found; 0 names none

    def check(self, vectors: Float32[np.ndarray, "rows dim"]) -> None:
        """Refuses entries below zero."""
        if vectors.size and vectors.min() < 0:
            raise ValueError(
                f"Sparse wants entries of at least 0, got {vectors.min():.4g}: use Exact for "
                "vectors whose entries have signs."
            )

    def build(self, vectors: Float32[np.ndarray, "rows dim"]) -> "SparseBase":
        return SparseBase(sparse.csr_array(vectors), reasons=self.reasons)

    def open(self, directory: Path) -> "SparseBase":
        items = sparse.csr_array(sparse.load_npz(directory / FILE))
        return SparseBase(items, reasons=self.reasons)


class SparseBase:
    """Items by entry, and entries by item."""

    is_exact = True
    effort = 0
    most_effort = 0

    def __init__(self, items: sparse.csr_array, *, reasons: int = 0):
        self.reasons = reasons
        self._items: Any = items  # whose types scipy does not tell a checker
        self._postings: Any = sparse.csr_array(items.T)

    @property
    def shape(self) -> tuple[int, int]:
        return self._items.shape[0], self._items.shape[1]

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        mask: Bool[np.ndarray, "rows"] | None,
    ) -> Rows:
        return _best(self._postings, queries, k, mask=mask)

    def scan(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        rows: Int64[np.ndarray, "chosen"] | None,
        excluded: Int64[np.ndarray, "queries excluded"] | None = None,
    ) -> Rows:
        postings = self._postings if rows is None else sparse.csr_array(self._items[rows].T)
        return _best(postings, queries, k, rows=rows, excluded=excluded)

    def vectors(self, rows: Int64[np.ndarray, "chosen"]) -> Float32[np.ndarray, "chosen dim"]:
        return self._items[rows].toarray()

    def save(self, directory: Path) -> None:
        sparse.save_npz(directory / FILE, self._items)


def _best(
    postings: Any, queries: Float32[np.ndarray, "queries dim"], k: int, **chosen: Any
) -> Rows:
    """The best by the postings of the entries that the queries have."""

    def score(few: Float32[np.ndarray, "few dim"]) -> Float32[np.ndarray, "few chosen"]:
        return (sparse.csr_array(few) @ postings).toarray()

    return in_blocks(score, postings.shape[1], queries, k, **chosen)


def reasons(
    queries: Float32[np.ndarray, "queries dim"],
    vectors: Float32[np.ndarray, "queries k dim"],
    most: int,
) -> Reasons:
    """The entries that add most to each score."""
    shares = queries[:, None, :] * vectors
    most = min(most, shares.shape[-1])
    entries = np.argsort(-shares, axis=-1, kind="stable")[..., :most]
    largest = np.take_along_axis(shares, entries, axis=-1)
    named: Int32[np.ndarray, "queries k reasons"] = np.where(largest > 0, entries, NOTHING)
    return Reasons(named.astype(np.int32), np.maximum(largest, 0).astype(np.float32))
