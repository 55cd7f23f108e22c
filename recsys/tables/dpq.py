"""DPQ: a row is a few short codes into a small codebook, and training learns both, end to end."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32, UInt8

from recsys.spec import spec
from recsys.tables.base import HEIGHT_MULTIPLE, Context, EmbeddingTable, Field, Keys, Rows
from recsys.tables.frozen.codes import CodesTable, centroids_of, code_bits
from recsys.tables.full import Full
from recsys.tables.hash import Hash
from recsys.tables.method import Category, Dial, Method
from recsys.tables.packing import pack, packed_bytes
from recsys.tables.parts import row_dial

BITS = range(1, 9)  # of a code: more than 256 centroids would not fit a byte
SMALLEST = 1e-12  # added to a squared length before dividing by it: an empty row has none


@spec
@dataclasses.dataclass(frozen=True)
class DPQ(Method):
    """Differentiable product quantization (Chen, Li and Sun, ICML 2020).

    While it trains, every row of `of` is a float query. Cut into parts, each part is replaced by a
    centroid of the codebook, and only the numbers of the centroids are served. "vq" takes the
    nearest centroid, hands the vector's gradient straight to the query, and draws centroid and
    query together by a penalty. "sx" takes the centroid whose key has the largest product with the
    query, reads its value, and hands the gradient on as a softmax over all centroids would.

    The authors normalise each centroid's scores over the batch (BatchNorm without scale and
    offset), so that none wins every row, or none; a code then depends on running statistics. Here
    it depends on the row alone: "vq" takes distances as they are, and "sx" gives every key the same
    length and every query's scores the same scale.
    """

    category: ClassVar[Category] = "quantization"
    paper: ClassVar[str] = "Chen, Li and Sun, ICML 2020"

    of: Method = Full()  # whose rows are quantised: Full or Hash
    parts: int = 4  # codes of a row; divides dim
    centroids: int = 256  # of each part: a power of two in [2, 256]
    mode: str = "vq"  # or "sx"
    commitment: float = 0.25  # at least 0: how much queries are drawn to centroids; vq
    temperature: float = 1.0  # above 0: of the softmax; sx

    def __post_init__(self):
        name = type(self).__name__
        if not isinstance(self.of, Full | Hash):
            raise ValueError(
                f"{name} quantises vectors that are stored as they are, got "
                f"{type(self.of).__name__}, which computes them: use of=Full() or of=Hash()."
            )
        if self.centroids not in [2**bits for bits in BITS]:
            raise ValueError(
                f"{name} needs a power of two of centroids, from 2 to 256, got {self.centroids}: "
                "so many fill the bits of a code, and a code a byte at most."
            )
        if self.mode not in ("vq", "sx"):
            raise ValueError(f"Unknown mode of {name} {self.mode!r}: known are vq, sx.")
        if self.parts < 1 or self.commitment < 0 or self.temperature <= 0:
            raise ValueError(
                f"{name} needs parts >= 1, commitment >= 0 and temperature > 0, got "
                f"parts={self.parts}, commitment={self.commitment}, temperature={self.temperature}."
            )

    @property
    def trains_within_budget(self) -> bool:
        return False  # it keeps a float query for each row of codes

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "DPQTable":
        self._check(dim, rows=self._rows(dim, fields))
        assert isinstance(self.of, Full | Hash)
        shape = (self.parts, self.centroids, dim // self.parts)
        bound = self.of.initial  # centroids start where the queries are: none is out of reach

        def start() -> Float[Array, "parts centroids width"]:
            return jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound)

        queries = self.of.build(dim, fields, rngs=rngs)
        keys = start() if self.mode == "sx" else None
        return self.wrap(queries, start(), keys=keys)

    def wrap(
        self,
        queries: EmbeddingTable,
        codebook: Float[Array, "parts centroids width"],
        *,
        keys: Float[Array, "parts centroids width"] | None,
    ) -> "DPQTable":
        """The table of queries and centroids."""
        return DPQTable(self, queries, codebook, keys=keys)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        self._check(dim)
        row = packed_bytes(code_bits(self.centroids), self.parts)
        return self._rows(dim, fields) * row + 4 * self.centroids * dim

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """Over Hash, the rows, parts and centroids as they are; over Full, parts and centroids.

        Of those, a setting counts only if it says more about a row than every smaller one: in more
        bits, or in as many from larger codebooks. None has more centroids than there are rows.
        """
        if isinstance(self.of, Hash):
            inner, first = row_dial(self.of, fields), self.centroids - 1
            return Dial(
                settings=max(1, inner.settings - first),
                make=lambda n: dataclasses.replace(self, of=inner.make(first + n)),
            )
        rows = self._rows(dim, fields)
        settings = [
            self._coded(parts, bits)
            for parts in range(1, dim + 1)
            for bits in BITS
            if dim % parts == 0 and 2**bits <= max(2, rows)
        ]
        ordered: list[DPQ] = []
        for setting in sorted(settings, key=lambda s: (s.table_bytes(dim, fields), -s._says[0])):
            if not ordered or setting._says > ordered[-1]._says:
                ordered.append(setting)
        return Dial(settings=len(ordered), make=ordered.__getitem__)

    def _coded(self, parts: int, bits: int) -> "DPQ":
        """The setting of so many parts and bits of a code."""
        return dataclasses.replace(self, parts=parts, centroids=2**bits)

    @property
    def _says(self) -> tuple[int, int]:
        """How much the codes of a row say: their bits, and how finely these choose."""
        return self.parts * code_bits(self.centroids), self.centroids

    def _rows(self, dim: int, fields: tuple[Field, ...]) -> int:
        return self.of.table_bytes(dim, fields) // (4 * dim)

    def _check(self, dim: int, rows: int | None = None) -> None:
        if dim % self.parts:
            known = ", ".join(str(n) for n in range(1, dim + 1) if dim % n == 0)
            raise ValueError(
                f"{type(self).__name__} cuts a vector into equal parts, got dim={dim} and "
                f"parts={self.parts}: use one of {known} parts."
            )
        if rows is not None and self.centroids > max(2, rows):
            raise ValueError(
                f"{type(self).__name__} wants no more centroids than rows, got "
                f"centroids={self.centroids} for {rows} rows: use at most "
                f"{max(2, 2 ** (rows.bit_length() - 1))}, or put several features into one table."
            )


class DPQTable(EmbeddingTable):
    """Float queries, and the codebook that replaces them."""

    def __init__(
        self,
        spec: DPQ,
        inner: EmbeddingTable,
        codebook: Float[Array, "parts centroids width"],
        *,
        keys: Float[Array, "parts centroids width"] | None = None,
    ):
        ((name, height),) = inner.heights.items()
        super().__init__(inner.dim, inner.fields, {"query": inner.stored()[name][:height]})
        inner.rows = nnx.Dict({})
        self.spec = spec
        self.inner = inner
        self.codebook = nnx.Param(codebook)
        self.keys = nnx.Param(keys) if keys is not None else None

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        (address,) = self.inner.address(key).values()
        return {"query": address}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        query = rows["query"]
        centroid = centroids_of(self.codes(query, self.most(key)), self.codebook[...])
        if self.spec.mode == "vq":
            vectors = jax.lax.stop_gradient(centroid) + _zero(query)
        else:
            vectors = centroid + _zero(self._blend(query))
        return jnp.where(key.valid[..., None], vectors, 0.0)

    def penalty(self, rows: Rows, key: Keys, context: Context) -> Float[Array, ""]:
        """The squared distance between query and centroid, mean over all that is not padding; vq.

        Once as a term of the centroid, which moves to the mean of its queries, and once, times the
        commitment, as one of the query (van den Oord et al., NeurIPS 2017; the authors leave it 0).
        """
        if self.spec.mode == "sx":
            return jnp.float32(0)
        query, stop = rows["query"], jax.lax.stop_gradient
        centroid = centroids_of(self.codes(query, self.most(key)), self.codebook[...])
        squares = (centroid - stop(query)) ** 2
        squares += self.spec.commitment * (stop(centroid) - query) ** 2
        total = jnp.sum(jnp.where(key.valid[..., None], squares, 0.0), axis=(0, 1, 2))
        count = jnp.sum(key.valid, axis=(0, 1), dtype=jnp.float32) * self.dim
        return total / jnp.maximum(count, 1.0)

    def most(self, key: Keys) -> Int32[Array, "batch places"] | None:
        """How many of the centroids each row may have; None is all."""
        return None

    def codes(
        self, query: Float[Array, "*rows dim"], most: Int32[Array, "*rows"] | None = None
    ) -> UInt8[Array, "*rows parts"]:
        """The centroid of each part: the nearest, or the one whose key has the largest product; of
        each row only the first `most` count.

        Summed entry by entry in a fixed order, not as a matrix product: its rounding varies with
        shape and device, and a frozen row must have the code that it was trained with. Also XLA
        then keeps no array of all scores.
        """
        *rows, _ = query.shape
        keys = self.codebook[...] if self.keys is None else _unit(self.keys[...])
        parts, _, width = keys.shape
        cut = jax.lax.stop_gradient(query).reshape(-1, parts, width)
        scores = jnp.float32(0)
        for entry in range(width):
            own, theirs = cut[:, :, None, entry], jax.lax.stop_gradient(keys)[None, :, :, entry]
            scores += own * theirs if self.keys is not None else -((own - theirs) ** 2)
        if most is not None:
            number = jnp.arange(keys.shape[1], dtype=jnp.int32)[None, None]
            scores = jnp.where(number < most.reshape(-1, 1, 1), scores, -jnp.inf)
        return jnp.argmax(scores, axis=-1).astype(jnp.uint8).reshape(*rows, parts)

    def freeze(self) -> EmbeddingTable:
        codes = packed(self, first=self.spec.centroids)[: self.heights["query"]]
        return CodesTable(nnx.clone(self.inner), codes=codes, codebook=self.codebook[...])

    def _blend(self, query: Float[Array, "batch places dim"]) -> Float[Array, "batch places dim"]:
        """The values mixed by a softmax of the scores: where a choice takes its gradient from."""
        assert self.keys is not None
        values = jax.lax.stop_gradient(self.codebook[...])
        parts, _, width = values.shape
        cut = query.reshape(*query.shape[:2], parts, width)
        scores = jnp.einsum("bpsw,scw->bpsc", cut, _unit(self.keys[...]))
        scores *= jax.lax.rsqrt(jnp.mean(scores**2, axis=-1, keepdims=True) + SMALLEST)
        weights = jax.nn.softmax(scores / self.spec.temperature, axis=-1)
        return jnp.einsum("bpsc,scw->bpsw", weights, values).reshape(query.shape)


def _unit(keys: Float[Array, "parts centroids width"]) -> Float[Array, "parts centroids width"]:
    """Keys of length 1."""
    return keys * jax.lax.rsqrt(jnp.sum(keys**2, axis=-1, keepdims=True) + SMALLEST)


def _zero(value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Exactly zero, with the gradient of `value`: what is added to it keeps its bits."""
    return value - jax.lax.stop_gradient(value)


@functools.partial(jax.jit, static_argnames="first")
def packed(table: DPQTable, *, first: int) -> UInt8[Array, "rows bytes"]:
    """The packed codes of all rows, chosen among the `first` centroids; HEIGHT_MULTIPLE at a time.

    Those of one turn are spread evenly over the table, so that each device of a mesh has its share
    and works on its own rows alone.
    """
    bits, parts = code_bits(first), table.spec.parts
    grid = table.rows["query"][...].reshape(HEIGHT_MULTIPLE, -1, table.dim)

    def turn(number: Int32[Array, ""], packed: UInt8[Array, "spread turns bytes"]):
        own = jax.lax.dynamic_index_in_dim(grid, number, axis=1, keepdims=False)
        row = pack(table.codes(own, jnp.full(len(own), first, jnp.int32)), bits)
        return jax.lax.dynamic_update_index_in_dim(packed, row, number, axis=1)

    empty = jnp.zeros((*grid.shape[:2], packed_bytes(bits, parts)), jnp.uint8)
    codes = jax.lax.fori_loop(0, grid.shape[1], turn, empty)
    return codes.reshape(-1, codes.shape[-1])
