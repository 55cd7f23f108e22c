"""GF-CF: collaborative filtering as a low-pass filter over the graph of items, in closed form."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds

from recsys.data.interactions import size
from recsys.retrieval.baselines.item_knn import scaled
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class GFCF:
    """A linear filter and an ideal low-pass one added (Shen et al., CIKM 2021, eq. 15):

    s = r (N'N + alpha D^-1/2 U U' D^1/2), N the normalised interactions, U its first right singular
    vectors, D the degrees of items.
    """

    rank: int = 256  # singular vectors kept
    alpha: float = 0.3  # weight of the ideal filter
    seed: int = 0  # of where the decomposition starts

    def __post_init__(self):
        if self.rank < 1 or self.alpha < 0:
            raise ValueError(
                f"GFCF wants a rank of at least 1 and alpha of at least 0, got rank={self.rank}, "
                f"alpha={self.alpha}."
            )

    def fit(self, train: csr_array) -> "Filter":
        user, item = (np.maximum(train.sum(axis=axis), 1e-12) ** -0.5 for axis in (1, 0))
        normal = scaled(train, rows=user, columns=item).astype(np.float32)
        most = min(size(train))
        rank = min(self.rank, most - 1)
        start = np.random.default_rng(self.seed).random(most, np.float32)
        basis = np.asarray(svds(normal, rank, v0=start)[2])
        # An item nobody met has no degree: it is neither reached from nor reaches any other.
        root = np.where(np.isfinite(item) & (item < 1e5), item, 0).astype(np.float32)
        back = np.divide(1, root, out=np.zeros_like(root), where=root > 0)
        linear = csr_array(normal.T @ normal)
        return Filter(train, linear, self.alpha * (root[:, None] * basis.T), basis * back[None, :])


@dataclasses.dataclass(frozen=True, eq=False)
class Filter:
    """The two filters, applied to what a user met."""

    seen: csr_array
    linear: csr_array  # N'N
    into: Float[np.ndarray, "items rank"]  # alpha D^-1/2 U
    out: Float[np.ndarray, "rank items"]  # U' D^1/2

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        met = self.seen[users]
        linear = jnp.asarray((met @ self.linear).toarray())
        return linear + jnp.asarray(met @ self.into) @ jnp.asarray(self.out)
