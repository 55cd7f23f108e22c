"""k-means on device: the nearest centroid of points, and centroids moved to the means of theirs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

DISTANCES = 2**20  # that are held at a time


def nearest(
    points: Float[Array, "points width"], centroids: Float[Array, "centroids width"]
) -> Int32[Array, " points"]:
    """The number of each point's nearest centroid; of equally near ones the first."""

    def one(point: Float[Array, " width"]) -> Int32[Array, ""]:
        squares = jnp.sum((centroids - point[None]) ** 2, axis=-1)
        return jnp.argmin(squares, axis=-1).astype(jnp.int32)

    return jax.lax.map(one, points, batch_size=max(1, DISTANCES // centroids.size))


def means(
    points: Float[Array, "points width"],
    start: Float[Array, "centroids width"],
    *,
    turns: int,
) -> Float[Array, "centroids width"]:
    """Centroids after some turns of Lloyd's algorithm; one that no point is nearest to stays."""

    def turn(_: Int32[Array, ""], centroids: Float[Array, "centroids width"]):
        own = nearest(points, centroids)
        sums = jnp.zeros_like(centroids).at[own].add(points)
        counts = jnp.zeros((len(centroids), 1), jnp.float32).at[own].add(1.0)
        return jnp.where(counts > 0, sums / jnp.maximum(counts, 1.0), centroids)

    return jax.lax.fori_loop(0, turns, turn, start)
