"""The largest scores of a row, exactly and fast: what every exact search ends with.

The k-th largest of the maxima of blocks is at most the k-th largest score, so only scores of at
least that are sorted. One pass over the scores takes the place of a partition of all of them.
"""

import numpy as np
from jaxtyping import Float32, Int64

BLOCK = 64  # scores that share a maximum


def top(scores: Float32[np.ndarray, "items"], k: int) -> Int64[np.ndarray, "best"]:
    """Places of the k largest scores, best first and equal ones in their order; -inf is left out.

    There are fewer than k where fewer scores are finite.
    """
    candidates = np.flatnonzero(scores >= _bound(scores, k))
    if len(candidates) > 4 * k:  # many equal scores, or few blocks
        bound = np.partition(scores[candidates], len(candidates) - k)[len(candidates) - k]
        candidates = candidates[scores[candidates] >= bound]
    order = np.argsort(-scores[candidates], kind="stable")[:k]
    return candidates[order]


def _bound(scores: Float32[np.ndarray, "items"], k: int) -> np.float32:
    """A score that at least k others reach, or the least finite one."""
    whole = len(scores) // BLOCK * BLOCK
    maxima = scores[:whole].reshape(-1, BLOCK).max(axis=1)
    least = np.finfo(np.float32).min
    if len(maxima) < k:
        return least
    return max(np.partition(maxima, len(maxima) - k)[len(maxima) - k], least)
