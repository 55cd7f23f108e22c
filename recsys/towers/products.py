"""Products of features' vectors, two at a time: each by itself (DLRM), or their sum (FM)."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def pairwise_dots(vectors: Float[Array, "batch features dim"]) -> Float[Array, "batch pairs"]:
    """<v_i, v_j> for each j < i, in the order (1, 0), (2, 0), (2, 1), (3, 0) ... (Naumov et al.,
    "DLRM", 2019).
    """
    dots = jnp.einsum("bid,bjd->bij", vectors, vectors)
    later, earlier = np.tril_indices(vectors.shape[1], -1)
    return dots[:, later, earlier]


def sum_of_products(vectors: Float[Array, "batch features dim"]) -> Float[Array, " batch"]:
    """The sum of <v_i, v_j> over all pairs of features, in time linear in their number.

    sum_{i<j} <v_i, v_j> = (|sum_i v_i|^2 - sum_i |v_i|^2) / 2 (Rendle, "Factorization Machines",
    ICDM 2010, lemma 3.1).
    """
    total = jnp.sum(vectors, axis=1)
    return (jnp.sum(total * total, axis=-1) - jnp.sum(vectors * vectors, axis=(1, 2))) / 2
