"""EASE: a linear model of items by items, in closed form."""

import dataclasses

import numpy as np
import scipy.linalg
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.retrieval.baselines.linear import ItemToItem
from recsys.spec import spec

MOST_ITEMS = 20_000  # a dense matrix of items by items: 3.2 GB in float64 while it is inverted


@spec
@dataclasses.dataclass(frozen=True)
class EASE:
    """Every item from all others, an item never from itself (Steck, WWW 2019, eq. 8):

    B = I - P diag(1 / diag(P)), P = (X'X + l2 I)^-1.
    """

    l2: float = 500.0  # a few hundred; the only thing to choose

    def __post_init__(self):
        if self.l2 <= 0:
            raise ValueError(f"EASE wants l2 above 0, got {self.l2}: a few hundred is usual.")

    def fit(self, train: csr_array) -> ItemToItem:
        """The weights of all items.

        Raises:
            ValueError: there are too many items for a dense matrix of items by items.
        """
        items = size(train)[1]
        if items > MOST_ITEMS:
            raise ValueError(
                f"EASE inverts a dense matrix of items by items and takes at most {MOST_ITEMS:,}, "
                f"got {items:,}: use GFCF, or drop rare items."
            )
        gram = (train.T @ train).toarray().astype(np.float64)
        gram[np.diag_indices(items)] += self.l2
        factor = scipy.linalg.cho_factor(gram, overwrite_a=True)
        inverse = scipy.linalg.cho_solve(factor, np.eye(items))
        weight = -inverse / np.diag(inverse)[None, :]
        np.fill_diagonal(weight, 0)
        return ItemToItem(train, weight.astype(np.float32))
