"""Packed codes in two classes: those of frequent values are longer than those of rare ones."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt8

from recsys.tables.base import OUT, Context, EmbeddingTable, Field, Keys, Row, Rows
from recsys.tables.frozen.codes import centroids_of, code_bits
from recsys.tables.full import regions
from recsys.tables.packing import unpack


class Split(NamedTuple):
    """The fields' frequent values, and the rest of them: as fields of fewer values."""

    frequent: tuple[Field, ...]
    rare: tuple[Field, ...]

    @property
    def rows(self) -> tuple[int, int]:
        """How many values are frequent, and how many rare."""
        return regions(self.frequent).rows, regions(self.rare).rows


class Place(NamedTuple):
    """Where the value of each key stands within its class."""

    row: Int32[Array, "batch places"]
    is_frequent: Bool[Array, "batch places"]


def split(fields: tuple[Field, ...], share: float) -> Split:
    """The first `share` of each vocabulary, at least one value, and the rest of it."""
    heads = [max(1, int(share * field.size)) for field in fields]
    frequent = [dataclasses.replace(f, values=n) for f, n in zip(fields, heads, strict=True)]
    rare = [dataclasses.replace(f, values=f.size - n) for f, n in zip(fields, heads, strict=True)]
    return Split(tuple(frequent), tuple(rare))


def placed(key: Keys, classes: Split) -> Place:
    """The class of each key and its row there; a rank beyond the vocabulary is its last value."""
    heads, tails = ([f.size for f in own] for own in (classes.frequent, classes.rare))
    last = key.of_place([a + b - 1 for a, b in zip(heads, tails, strict=True)], "uint32")
    rank = jnp.minimum(key.low, last).astype(jnp.int32)
    head = key.of_place(heads, "int32")
    first = key.of_place(regions(classes.frequent).starts, "int32")
    later = key.of_place(regions(classes.rare).starts, "int32")
    is_frequent = rank < head
    return Place(jnp.where(is_frequent, first + rank, later + rank - head), is_frequent)


class ClassedCodesTable(EmbeddingTable):
    """Rows of codes at their exact number of bits, an array for each class; only looked up.

    Args:
        frequent: packed codes that name any of the centroids.
        rare: packed codes that name one of the first few, as many as `most`.
    """

    def __init__(
        self,
        dim: int,
        classes: Split,
        fields: tuple[Field, ...],
        *,
        frequent: UInt8[Array, "frequent bytes"],
        rare: UInt8[Array, "rare _"],
        codebook: Float[Array, "parts centroids width"],
        most: int,
    ):
        rows = {"frequent": frequent, "rare": rare}
        super().__init__(dim, fields, rows)
        self.rows = nnx.Dict({name: Row(codes) for name, codes in rows.items()})  # exact heights
        self.codebook = nnx.Param(codebook)
        self.classes, self.most = classes, most

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        row, is_frequent = placed(key, self.classes)
        return {
            "frequent": jnp.where(key.valid & is_frequent, row, OUT),
            "rare": jnp.where(key.valid & ~is_frequent, row, OUT),
        }

    def load(self, rows: Rows) -> Rows:
        parts, centroids, _ = self.codebook[...].shape
        bits = {"frequent": code_bits(centroids), "rare": code_bits(self.most)}
        return {name: jnp.asarray(unpack(row, bits[name], parts)) for name, row in rows.items()}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        is_frequent = placed(key, self.classes).is_frequent[..., None]
        codes = jnp.where(is_frequent, rows["frequent"], rows["rare"])
        return jnp.where(key.valid[..., None], centroids_of(codes, self.codebook[...]), 0.0)
