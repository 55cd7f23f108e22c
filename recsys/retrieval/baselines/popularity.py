"""ItemPop: everybody is shown what most have met."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class ItemPop:
    """Items by how many users met them: the floor of personalisation."""

    def fit(self, train: csr_array) -> "Popularity":
        counts = np.bincount(train.indices, minlength=size(train)[1])
        return Popularity(counts.astype(np.float32))


@dataclasses.dataclass(frozen=True, eq=False)
class Popularity:
    """The same list for all."""

    counts: Float[np.ndarray, " items"]

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        return jnp.broadcast_to(jnp.asarray(self.counts)[None], (len(users), len(self.counts)))
