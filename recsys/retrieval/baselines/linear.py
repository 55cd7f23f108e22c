"""Scorers made of matrices: a user's row of interactions times items by items, or two factors."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_array


@dataclasses.dataclass(frozen=True, eq=False)
class ItemToItem:
    """What a user met, times how much each item says for each other."""

    seen: csr_array  # (users, items)
    weight: csr_array | np.ndarray  # (items, items)

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        scores = self.seen[users] @ self.weight
        return jnp.asarray(scores if isinstance(scores, np.ndarray) else scores.toarray())


@dataclasses.dataclass(frozen=True, eq=False)
class Factors:
    """A vector a user and a vector an item; the score is their dot product."""

    user: Float[Array, "all_users dim"]
    item: Float[Array, "items dim"]

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        return _dots(self.user, self.item, users)


@jax.jit
def _dots(user, item, users):
    return user[users] @ item.T
