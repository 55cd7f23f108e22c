"""CCE: values share rows at random, are clustered by what they learned, and share those instead."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int32, Shaped, UInt32

from recsys.features.hashing import bucket, salt
from recsys.spec import spec
from recsys.tables.base import OUT, Context, EmbeddingTable, Field, Keys, Moves, Rows
from recsys.tables.clustering import means, nearest
from recsys.tables.full import ranked, regions
from recsys.tables.method import Category, Dial, Method, Need
from recsys.tables.parts import row_dial, uniform_rows

POINTS = 64  # of each centroid, that k-means looks at
TURNS = 10  # of k-means
BATCH = 4096  # values that are assigned at a time


class Clusters(nnx.Variable):
    """The centroid of every value in every chunk: a copy on every device; not trained."""


@spec
@dataclasses.dataclass(frozen=True)
class CCE(Method):
    """Each chunk of a vector is the centroid of the value's cluster plus a hashed row.

    Tsang and Ahle, "Clustering the Sketch: Dynamic Compression for Embedding Tables", NeurIPS 2023.
    Clusters are random at first, so that the sum is that of two hashed rows. Every `every` steps,
    k-means clusters the values by the chunks that they have: the centroids take the place of the
    first rows, the clusters are remembered, and the other rows are emptied and hashed anew, to
    learn what the centroids do not say. The authors start those at the mean of what each lacks.

    A value's cluster is 1 byte a chunk, or 2 if there are more than 256 centroids. The authors
    leave these out of their sizes; here they count, and are nearly all of the floor: fewer chunks
    lower it. Needs vocabularies.
    """

    category: ClassVar[Category] = "composition"
    paper: ClassVar[str] = "Tsang and Ahle, NeurIPS 2023"
    own_needs: ClassVar[tuple[Need, ...]] = ("vocabulary",)

    rows: int = 65_536  # of every chunk, centroids and hashed ones together; at least 2
    centroids: int = 256  # of every chunk, at most 65,536; half of the rows where that is less
    chunks: int = 4  # pieces of a vector, clustered one by one; divides dim
    every: int = 500  # steps between clusterings
    times: int = 3  # that values are clustered; what follows is learned by the rows as they are
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if self.rows < 2 or not 1 <= self.centroids <= 2**16:
            raise ValueError(
                "CCE needs a centroid and a hashed row in every chunk, and at most 65,536 "
                f"centroids, got rows={self.rows:,} and centroids={self.centroids:,}. For a budget "
                "in bytes use CCE().within(budget_bytes, dim, fields)."
            )
        if min(self.chunks, self.every) < 1 or self.times < 0:
            raise ValueError(
                "CCE needs chunks and every of at least 1 and times of at least 0, got "
                f"chunks={self.chunks}, every={self.every}, times={self.times}: raise them."
            )

    @property
    def kinds(self) -> int:
        """How many centroids a chunk has."""
        return min(self.centroids, self.rows // 2)

    def width(self, dim: int) -> int:
        """Of a chunk."""
        if dim % self.chunks:
            known = ", ".join(str(n) for n in range(1, dim + 1) if dim % n == 0)
            raise ValueError(
                f"CCE cuts a vector into equal chunks, got dim={dim} and chunks={self.chunks}: "
                f"use one of {known} chunks."
            )
        return dim // self.chunks

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "CCETable":
        bound = self.initial / math.sqrt(2)  # variances of the two rows add up
        rows = uniform_rows(self.chunks * self.rows, self.width(dim), bound, rngs)
        return CCETable(self, dim, fields, {"weight": rows})

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        rows = 4 * self.chunks * self.rows * self.width(dim)
        clusters = self.chunks * regions(fields).rows * _code(self.kinds).itemsize
        return rows + clusters + 4  # and how often they were found, which says how rows are hashed

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """More rows of every chunk, from two up to one a value."""
        settings = max(1, row_dial(self, fields).settings - 1)
        return Dial(settings, lambda n: dataclasses.replace(self, rows=n + 2))


class CCETable(EmbeddingTable):
    """The rows chunk by chunk, of each the centroids first; and the cluster of every value."""

    def __init__(self, spec: CCE, dim: int, fields: tuple[Field, ...], rows: Rows):
        super().__init__(dim, fields, rows)
        self.spec = spec
        self.period = spec.every if spec.times else 0
        values = jnp.arange(regions(fields).rows, dtype=jnp.int32)
        first = _drawn(values, jnp.uint32(0), "cluster", spec.chunks, spec.kinds)
        self.clusters = Clusters(first.astype(_code(spec.kinds)))
        self.times = Clusters(jnp.zeros((), jnp.uint32))

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """Of each place the centroid and the hashed row of each chunk, chunk by chunk."""
        both = self._read(ranked(key, self.fields))
        both = jnp.where(key.valid[:, :, None, None], both, OUT)
        return {"weight": both.reshape(both.shape[0], -1)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        pairs = rows["weight"].reshape(*key.low.shape, self.spec.chunks, 2, -1)
        return jnp.sum(pairs, axis=-2).reshape(*key.low.shape, self.dim)

    def maintain(self, context: Context) -> dict[str, Moves]:
        """Clusters the values, if that is still due; empties the hashed rows, their slots too."""
        weight, clusters = self.rows["weight"], self.clusters
        is_due = self.times[...] < self.spec.times
        found = jax.lax.cond(
            is_due, self._clustered, lambda _: (weight[...], clusters[...]), context.rng
        )
        weight.set_value(found[0])
        clusters.set_value(found[1])
        self.times.set_value(self.times[...] + is_due.astype(jnp.uint32))
        row = jnp.arange(self.heights["weight"], dtype=jnp.int32)
        is_emptied = is_due & (row % self.spec.rows >= self.spec.kinds)
        return {"weight": Moves(jnp.full_like(row, OUT), jnp.where(is_emptied, row, OUT))}

    def _clustered(self, rng: Array) -> tuple[Array, Array]:
        """The rows with new centroids, and every value's cluster."""
        count, k = len(self.clusters[...]), self.spec.kinds
        drawn = jax.random.permutation(rng, count)[: POINTS * k].astype(jnp.int32)
        points = jnp.moveaxis(self._chunks(drawn), 1, 0)
        start = points[:, np.arange(k) % len(drawn)]
        centroids = jax.lax.map(lambda own: means(*own, turns=TURNS), (points, start))

        def assigned(values: Int32[Array, " values"]) -> Shaped[Array, "values chunks"]:
            own = jnp.moveaxis(self._chunks(values), 1, 0)
            found = jax.lax.map(lambda both: nearest(*both), (own, centroids))
            return found.T.astype(self.clusters[...].dtype)

        turns = -(-count // BATCH)
        values = jnp.minimum(jnp.arange(turns * BATCH, dtype=jnp.int32), count - 1)
        clusters = jax.lax.map(assigned, values.reshape(turns, BATCH))
        weight, height = self.rows["weight"][...], self.heights["weight"]
        grid = weight[:height].reshape(self.spec.chunks, self.spec.rows, -1)
        grid = grid.at[:, :k].set(centroids).reshape(height, -1)
        return weight.at[:height].set(grid), clusters.reshape(-1, self.spec.chunks)[:count]

    def _chunks(self, values: Int32[Array, " values"]) -> Float[Array, "values chunks width"]:
        """The chunks of values, by their numbers."""
        return jnp.sum(self.rows["weight"][...][self._read(values)], axis=-2)

    def _read(self, values: Int32[Array, "*shape"]) -> Int32[Array, "*shape chunks 2"]:
        """The two rows that each chunk of a value reads."""
        chunks, rows, k = self.spec.chunks, self.spec.rows, self.spec.kinds
        own = self.clusters[...].at[values].get(mode="promise_in_bounds").astype(jnp.int32)
        other = k + _drawn(values, self.times[...], "row", chunks, rows - k)
        first = np.arange(chunks, dtype=np.int32).reshape((1,) * values.ndim + (chunks,)) * rows
        return jnp.stack([first + own, first + other], axis=-1)


def _drawn(
    values: Int32[Array, "*shape"], times: UInt32[Array, ""], what: str, chunks: int, rows: int
) -> Int32[Array, "*shape chunks"]:
    """A random row of each chunk for each value, others each time that values were clustered."""
    low = values.astype(jnp.uint32)[..., None]
    salts = np.array([salt(what, chunk) for chunk in range(chunks)], np.uint32)
    high = jnp.broadcast_to(times, low.shape)
    return jnp.asarray(bucket(high, low, salts, rows))


def _code(kinds: int) -> np.dtype:
    """The smallest integers that name a cluster."""
    return np.dtype(np.uint8 if kinds <= 2**8 else np.uint16)
