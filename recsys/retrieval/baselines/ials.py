"""iALS: matrix factorisation that treats all that was not met as weakly disliked.

With its two weights tuned it is a strong baseline (Rendle et al., "Revisiting the performance of
iALS on item recommendation benchmarks", RecSys 2022).
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32
from scipy.sparse import csr_array
from tqdm import tqdm

from recsys.data.interactions import size
from recsys.retrieval.baselines.linear import Factors
from recsys.spec import spec

PLACES = 1 << 17  # interactions solved at a time


@spec
@dataclasses.dataclass(frozen=True)
class IALS:
    """Alternating least squares (Hu et al., ICDM 2008), regularised by frequency:

    sum over met (1 - <u, i>)^2 + alpha sum over all <u, i>^2
    + l2 sum over users (|met| + alpha items)^nu |u|^2 + the same over items.
    """

    dim: int = 64  # of a vector
    alpha: float = 0.1  # weight of what was not met
    l2: float = 0.003
    nu: float = 1.0  # exponent of the frequency that scales l2
    epochs: int = 16
    initial: float = 0.1  # vectors start normal with this deviation over sqrt(dim)
    seed: int = 0

    def __post_init__(self):
        if min(self.dim, self.epochs) < 1 or min(self.alpha, self.l2) <= 0:
            raise ValueError(
                "IALS wants dim and epochs of at least 1, alpha and l2 above 0, got "
                f"dim={self.dim}, epochs={self.epochs}, alpha={self.alpha}, l2={self.l2}."
            )

    def fit(self, train: csr_array, *, progress: bool = True) -> Factors:
        sides = [train, csr_array(train.T)]
        blocks = [_blocks(side) for side in sides]
        keys = jax.random.split(jax.random.key(self.seed))
        deviation = self.initial / self.dim**0.5
        user, item = (
            deviation * jax.random.normal(key, (count, self.dim))
            for key, count in zip(keys, size(train), strict=True)
        )
        epochs = range(self.epochs)
        for _ in tqdm(epochs, unit=" epochs", file=sys.stderr, disable=None if progress else True):
            user = self._solve(user, item, blocks[0])
            item = self._solve(item, user, blocks[1])
        return Factors(user, item)

    def _solve(
        self,
        own: Float[Array, "own dim"],
        other: Float[Array, "other dim"],
        blocks: list["_Block"],
    ) -> Float[Array, "own dim"]:
        gram = self.alpha * other.T @ other
        for block in blocks:
            scale = (block.met + self.alpha * len(other)) ** self.nu * self.l2
            solved = _least_squares(other, gram, scale, block.other, block.is_met)
            own = own.at[block.own].set(solved)
        return own


@dataclasses.dataclass(frozen=True, eq=False)
class _Block:
    """Users (or items) who met about as many others, as rectangles."""

    own: Int32[np.ndarray, " own"]
    met: Float[np.ndarray, " own"]
    other: Int32[np.ndarray, "own most"]
    is_met: Float[np.ndarray, "own most"]


def _blocks(matrix: csr_array) -> list[_Block]:
    """The rows by the power of two that their number of entries lies under."""
    counts = np.diff(matrix.indptr)
    classes = np.ceil(np.log2(np.maximum(counts, 8))).astype(int)
    blocks = []
    for power in np.unique(classes):
        rows = np.flatnonzero(classes == power)
        most, step = 1 << int(power), max(1, PLACES >> int(power))
        for start in range(0, len(rows), step):
            own = rows[start : start + step]
            place = np.arange(most)[None, :]
            is_met = place < counts[own][:, None]
            at = np.where(is_met, matrix.indptr[own][:, None] + place, 0)
            other = np.where(is_met, matrix.indices[at], 0).astype(np.int32)
            met = counts[own].astype(np.float32)
            blocks.append(_Block(own.astype(np.int32), met, other, is_met.astype(np.float32)))
    return blocks


@jax.jit
def _least_squares(
    other: Float[Array, "other dim"],
    gram: Float[Array, "dim dim"],
    scale: Float[Array, " own"],
    places: Int32[Array, "own most"],
    is_met: Float[Array, "own most"],
) -> Float[Array, "own dim"]:
    vectors = other[places] * is_met[..., None]
    hessian = jnp.einsum("omd,ome->ode", vectors, vectors) + gram[None]
    hessian = hessian + scale[:, None, None] * jnp.eye(other.shape[1])[None]
    right = vectors.sum(axis=1)
    factor = jnp.linalg.cholesky(hessian)
    half = jax.lax.linalg.triangular_solve(factor, right[..., None], left_side=True, lower=True)
    return jax.lax.linalg.triangular_solve(
        factor, half, left_side=True, lower=True, transpose_a=True
    )[..., 0]
