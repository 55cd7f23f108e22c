"""MGQE: product codes that say more about frequent values than about rare ones."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from recsys.spec import spec
from recsys.tables.base import EmbeddingTable, Field, Keys, masked
from recsys.tables.dpq import BITS, DPQ, DPQTable, packed
from recsys.tables.frozen.classes import ClassedCodesTable, placed, split
from recsys.tables.frozen.codes import code_bits
from recsys.tables.full import Full
from recsys.tables.packing import packed_bytes


@spec
@dataclasses.dataclass(frozen=True)
class MGQE(DPQ):
    """Multi-granular quantised embeddings (Kang, Cheng, Chen et al., WWW 2020).

    DPQ whose codebook is shared by two classes of values, with the same parts: frequent ones choose
    among all centroids, rare ones among the first few, so that theirs are shorter codes and cannot
    overfit. Values are in order of frequency, so the class of one is known by its rank. Needs
    vocabularies, and the whole table of queries while it trains.
    """

    paper: ClassVar[str] = "Kang et al., WWW 2020"

    rare: int = 64  # centroids that rare values choose among: a power of two, up to all
    share: float = 0.1  # in (0, 1): of each vocabulary, the values that are frequent

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.of, Full) or self.mode != "vq":
            raise ValueError(
                "MGQE quantises the rows of known values by their nearest centroids, got "
                f"of={type(self.of).__name__}() and mode={self.mode!r}: use of=Full(), mode='vq'."
            )
        if self.rare not in [2**bits for bits in BITS] or self.rare > self.centroids:
            raise ValueError(
                "MGQE needs a power of two of centroids for rare values, from 2 up to "
                f"centroids={self.centroids}, got rare={self.rare}."
            )
        if not 0 < self.share < 1:
            raise ValueError(f"MGQE wants a share of frequent values in (0, 1), got {self.share}.")

    def wrap(
        self,
        queries: EmbeddingTable,
        codebook: Float[Array, "parts centroids width"],
        *,
        keys: Float[Array, "parts centroids width"] | None,
    ) -> "MGQETable":
        return MGQETable(self, queries, codebook, keys=keys)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        self._check(dim)
        frequent, rare = split(fields, self.share).rows
        if not rare:
            raise ValueError(
                "MGQE tells frequent values from rare ones, got vocabularies of one value each: "
                "use Full()."
            )
        long, short = (
            packed_bytes(code_bits(most), self.parts) for most in (self.centroids, self.rare)
        )
        return frequent * long + rare * short + 4 * self.centroids * dim

    def _coded(self, parts: int, bits: int) -> "MGQE":
        """As many bits fewer for rare values as here, down to one."""
        fewer = code_bits(self.centroids) - code_bits(self.rare)
        return dataclasses.replace(
            self, parts=parts, centroids=2**bits, rare=2 ** max(1, bits - fewer)
        )


class MGQETable(DPQTable):
    """Float queries, those of the frequent values first, and the codebook of both classes."""

    spec: MGQE

    def __init__(
        self,
        spec: MGQE,
        inner: EmbeddingTable,
        codebook: Float[Array, "parts centroids width"],
        *,
        keys: Float[Array, "parts centroids width"] | None = None,
    ):
        super().__init__(spec, inner, codebook, keys=keys)
        self.classes = split(inner.fields, spec.share)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        row, is_frequent = placed(key, self.classes)
        frequent, _ = self.classes.rows
        return {"query": masked(jnp.where(is_frequent, row, frequent + row), key)}

    def most(self, key: Keys) -> Int32[Array, "batch places"]:
        is_frequent = placed(key, self.classes).is_frequent
        return jnp.where(is_frequent, self.spec.centroids, self.spec.rare)

    def freeze(self) -> ClassedCodesTable:
        frequent, rare = self.classes.rows
        return ClassedCodesTable(
            self.dim,
            self.classes,
            self.fields,
            frequent=packed(self, first=self.spec.centroids)[:frequent],
            rare=packed(self, first=self.spec.rare)[frequent : frequent + rare],
            codebook=self.codebook[...],
            most=self.spec.rare,
        )
