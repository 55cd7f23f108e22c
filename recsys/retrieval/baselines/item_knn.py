"""ItemKNN: items are recommended by their nearest neighbours among what the user met."""

import dataclasses

import numpy as np
from scipy.sparse import csr_array, diags_array

from recsys.data.interactions import size
from recsys.retrieval.baselines.linear import ItemToItem
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class ItemKNN:
    """Cosine between the columns of two items, of the nearest only (Sarwar et al., WWW 2001)."""

    neighbours: int = 200  # of each item
    shrink: float = 0.0  # added to the norms' product: doubts similarities that rest on few users

    def __post_init__(self):
        if self.neighbours < 1 or self.shrink < 0:
            raise ValueError(
                "ItemKNN wants at least one neighbour and a shrink of at least 0, got "
                f"neighbours={self.neighbours}, shrink={self.shrink}."
            )

    def fit(self, train: csr_array) -> ItemToItem:
        together = csr_array(train.T @ train)  # how many users met both
        norm = np.sqrt(together.diagonal())
        together.setdiag(0)
        together.eliminate_zeros()
        item = np.repeat(np.arange(len(norm)), np.diff(together.indptr))
        together.data /= norm[item] * norm[together.indices] + self.shrink
        return ItemToItem(train, nearest(together, self.neighbours))


def nearest(similarity: csr_array, count: int) -> csr_array:
    """The largest `count` entries of each row."""
    entries, shape = np.diff(similarity.indptr), size(similarity)
    row = np.repeat(np.arange(shape[0]), entries)
    order = np.lexsort((np.negative(similarity.data), row))
    place = np.arange(similarity.nnz) - np.repeat(similarity.indptr[:-1], entries)
    kept = np.zeros(similarity.nnz, bool)
    kept[order[place < count]] = True
    return csr_array((similarity.data[kept], (row[kept], similarity.indices[kept])), shape=shape)


def scaled(matrix: csr_array, *, rows: np.ndarray, columns: np.ndarray) -> csr_array:
    """The matrix with its rows and columns multiplied."""
    return csr_array(diags_array(rows) @ matrix @ diags_array(columns))
