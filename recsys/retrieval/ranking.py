"""Ranking: every user's best items out of the whole catalogue, those it has seen left out.

The scores of a block of users against all items are made, masked and cut to the best on the
device; only the best come back. Nothing is sampled (Krichene and Rendle, KDD 2020, show why
sampled metrics mislead).
"""

import dataclasses
import functools
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Int32
from scipy.sparse import csr_array
from tqdm import tqdm

from recsys.data.interactions import size

NOTHING = -1  # in a list that is shorter than asked, because everything else was seen


@runtime_checkable
class Scorer(Protocol):
    """Anything that scores all items for some users: a baseline, or two towers."""

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        """The higher, the better."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Ranking:
    """The best items of some users, best first."""

    users: Int[np.ndarray, " users"]
    items: Int32[np.ndarray, "users best"]  # NOTHING behind the last, where too few are left


def rank(
    scorer: Scorer,
    users: Int[np.ndarray, " users"],
    *,
    seen: csr_array,
    best: int,
    block: int = 1024,
    progress: bool = True,
) -> Ranking:
    """The `best` items of each user that are not in its row of `seen`.

    A list never has an item twice. Where fewer items are left than asked for, since the rest was
    seen or the catalogue is smaller, NOTHING stands behind the last.

    Args:
        block: users at a time; scores of so many times all items are held at once.
        progress: shows a bar on a terminal.

    Raises:
        ValueError: `best` or `block` is below 1.
    """
    if best < 1 or block < 1:
        raise ValueError(
            f"A ranking wants lists and blocks of at least 1, got best={best} and block={block}: "
            "ask for more."
        )
    kept = min(best, size(seen)[1])
    found = np.full((len(users), best), NOTHING, np.int32)
    starts = range(0, len(users), block)
    for start in tqdm(starts, unit=" blocks", disable=None if progress else True):
        some = users[start : start + block]
        padded = np.concatenate([some, np.full(block - len(some), some[0])])  # one program for all
        row, column = _seen(seen, padded)
        picked = _best(scorer.scores(padded), row, column, kept)
        found[start : start + block, :kept] = np.asarray(picked)[: len(some)]
    return Ranking(users, found)


@functools.partial(jax.jit, static_argnames="best")
def _best(
    scores: Float[Array, "users items"],
    row: Int32[Array, " seen"],
    column: Int32[Array, " seen"],
    best: int,
) -> Int32[Array, "users best"]:
    masked = scores.at[row, column].set(-jnp.inf, mode="drop")
    top, items = jax.lax.top_k(masked, best)
    return jnp.where(jnp.isneginf(top), NOTHING, items)


def _seen(
    seen: csr_array, users: Int[np.ndarray, " users"]
) -> tuple[Int32[np.ndarray, " seen"], Int32[np.ndarray, " seen"]]:
    """Where these users' seen items stand; padded to a power of two, so that few shapes compile."""
    rows = seen[users]
    count = rows.nnz
    size = 1 << max(count - 1, 1).bit_length()
    row = np.full(size, len(users), np.int32)  # beyond the last: dropped
    row[:count] = np.repeat(np.arange(len(users)), np.diff(rows.indptr))
    column = np.zeros(size, np.int32)
    column[:count] = rows.indices
    return row, column
