"""nDCG of graded relevance, of scores of all items."""

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array


def graded_ndcg(scores: Float[np.ndarray, "users items"], grades: csr_array, *, k: int) -> float:
    """The mean over users with a relevant item of sum grade / log2(1 + rank) over the best that was
    possible (Järvelin and Kekäläinen, TOIS 2002). Equal scores stand in the order of items.

    Raises:
        ValueError: no user has a relevant item.
    """
    users = np.flatnonzero(np.diff(grades.indptr))
    if not len(users):
        raise ValueError("nDCG wants a user with a relevant item, got none: give grades above 0.")
    gains = np.asarray(grades[users].toarray(), np.float64)
    best = np.argsort(-scores[users], axis=1, kind="stable")[:, :k]
    discount = 1 / np.log2(np.arange(best.shape[1]) + 2)
    found = (np.take_along_axis(gains, best, axis=1) * discount).sum(axis=1)
    ideal = (-np.sort(-gains, axis=1)[:, : best.shape[1]] * discount).sum(axis=1)
    return float(np.mean(found / ideal))
