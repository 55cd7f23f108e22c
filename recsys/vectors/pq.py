"""Product quantisation: a vector is cut in parts, and each part is the nearest of a few."""

import contextlib
import dataclasses
import importlib
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from recsys.vectors.bits import row_bytes, unpack
from recsys.vectors.method import Arrays, Decode, Vectors, require

BITS = (8, 7, 6, 5, 4, 3, 2, 1)  # of a code
ITERATIONS = 25  # of k-means
LARGE = 2**20  # entries, from which on threads share the work


class Cut(NamedTuple):
    """Parts of a vector, and bits of the code of each."""

    parts: int
    bits: int

    def bytes(self, rows: int, dim: int) -> int:
        """What codes and codebooks weigh."""
        return rows * row_bytes(self.bits, self.parts) + 4 * dim * 2**self.bits


@dataclasses.dataclass(frozen=True)
class PQ:
    """A codebook a part, learned by k-means (Jégou, Douze and Schmid, PAMI 2011; by faiss)."""

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = vectors.shape
        cuts = cuts_of(rows, dim)
        require(
            self, min(c.bytes(rows, dim) for c in cuts), budget_bytes=budget_bytes, vectors=vectors
        )
        return quantised(vectors, largest(cuts, rows, dim, budget_bytes), seed=seed)

    def reader(self, arrays: Arrays) -> Decode:
        codes, books = arrays["codes"], arrays["books"]
        parts, size, _ = books.shape
        bits = int(size).bit_length() - 1

        def decode(ids: np.ndarray) -> np.ndarray:
            chosen = unpack(codes[ids], bits, parts)
            return books[np.arange(parts), chosen].reshape(len(ids), -1)

        return decode


def cuts_of(rows: int, dim: int) -> list[Cut]:
    """Every way of cutting that k-means can learn from so many rows."""
    parts = [count for count in range(1, dim + 1) if dim % count == 0]
    bits = [b for b in BITS if 2**b <= max(rows, 2)]
    return [Cut(count, b) for count in parts for b in bits]


def largest(cuts: list[Cut], rows: int, dim: int, budget_bytes: int) -> Cut:
    """The cut with the most bits a vector among those that fit; of equals, the fewest parts."""
    fitting = [cut for cut in cuts if cut.bytes(rows, dim) <= budget_bytes]
    return max(fitting, key=lambda cut: (cut.parts * cut.bits, -cut.parts))


def quantised(vectors: Vectors, cut: Cut, *, seed: int) -> dict[str, np.ndarray]:
    """Packed codes and codebooks."""
    vectors = np.ascontiguousarray(vectors)
    with faiss(vectors) as library:
        quantiser = quantiser_of(library, vectors.shape[1], cut, seed=seed)
        count = max(len(vectors), 2**cut.bits)  # k-means wants one for each mean
        quantiser.train(np.resize(vectors, (count, vectors.shape[1])))
        books = library.vector_to_array(quantiser.centroids)
        codes = quantiser.compute_codes(vectors)  # packed as `bits.pack` does
    return {"codes": codes, "books": books.reshape(cut.parts, 2**cut.bits, -1).copy()}


def quantiser_of(library: Any, dim: int, cut: Cut, *, seed: int) -> Any:
    """A quantiser that has learned nothing yet."""
    quantiser = library.ProductQuantizer(dim, cut.parts, cut.bits)
    quantiser.cp.seed, quantiser.cp.niter = seed + 1, ITERATIONS
    quantiser.cp.min_points_per_centroid = 1  # a small set is no mistake
    return quantiser


@contextlib.contextmanager
def faiss(vectors: Vectors) -> Iterator[Any]:
    """The library that learns codebooks; reading codes does not need it.

    Few vectors are left to one thread: others would wait for each other most of the time.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its bindings, on Python 3.12
        try:
            library = importlib.import_module("faiss")
        except ImportError as error:
            raise ValueError(
                "Codebooks are learned by faiss, which is not installed: run `pip install "
                "'recsys[vectors]'`, or choose another method."
            ) from error
        threads = library.omp_get_max_threads()
        library.omp_set_num_threads(1 if vectors.size < LARGE else threads)
        try:
            yield library
        finally:
            library.omp_set_num_threads(threads)
