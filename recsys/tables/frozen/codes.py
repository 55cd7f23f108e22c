"""Packed codes: the served form of quantised tables, a few bits a part and one codebook."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int32, UInt8

from recsys.tables.base import Context, EmbeddingTable, Keys, Row, Rows
from recsys.tables.packing import unpack


class CodesTable(EmbeddingTable):
    """Rows of codes, each at its exact number of bits; a vector is the centroids that they name.

    It does not learn: its rows stay integers when they are loaded.

    Args:
        inner: says which row a key reads; it needs no rows of its own.
        codes: packed, `bits` each.
    """

    def __init__(
        self,
        inner: EmbeddingTable,
        *,
        codes: UInt8[Array, "rows bytes"],
        codebook: Float[Array, "parts centroids width"],
    ):
        super().__init__(inner.dim, inner.fields, {"codes": codes})
        self.rows = nnx.Dict({"codes": Row(codes)})  # served at the exact height
        self.inner = inner
        self.codebook = nnx.Param(codebook)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        (address,) = self.inner.address(key).values()
        return {"codes": address}

    def load(self, rows: Rows) -> Rows:
        parts, centroids, _ = self.codebook[...].shape
        return {"codes": jnp.asarray(unpack(rows["codes"], code_bits(centroids), parts))}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        vectors = centroids_of(rows["codes"], self.codebook[...])
        return jnp.where(key.valid[..., None], vectors, 0.0)


def code_bits(centroids: int) -> int:
    """Bits that name one of so many centroids."""
    return (centroids - 1).bit_length()


def centroids_of(
    codes: UInt8[Array, "*rows parts"], codebook: Float[Array, "parts centroids width"]
) -> Float[Array, "*rows dim"]:
    """The centroid of each part, side by side."""
    *rows, parts = codes.shape
    _, centroids, width = codebook.shape
    first = centroids * np.arange(parts, dtype=np.int32).reshape((1,) * len(rows) + (parts,))
    flat = codebook.reshape(parts * centroids, width)
    found = flat.at[codes.astype(jnp.int32) + first].get(mode="promise_in_bounds")
    return found.reshape(*rows, parts * width)
