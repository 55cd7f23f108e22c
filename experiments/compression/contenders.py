"""What the compression benchmark compares: every method of the registry, and combinations.

A contender is a layout without a size; `within` gives it the largest table that fits a budget.
"""

import dataclasses

from recsys.embedding import Layout, PerFeature, Unified
from recsys.features import Schema
from recsys.tables import ALPT, CAFE, FP16, INT4, INT8, METHODS, QR, ROBE, Hash, HotCold, MultiHash
from recsys.tables.method import Method


@dataclasses.dataclass(frozen=True)
class Contender:
    """A method, its layout, and how many rows make up a value's vector."""

    table: str  # registry name
    method: Method
    layout: str = "unified"  # or "per feature"
    lookups: int = 1  # each of dim / lookups
    inside: str | None = None  # the method whose rows a storage holds

    @property
    def name(self) -> str:
        """How records call the layout."""
        inside = "" if self.inside is None else f" of {self.inside}"
        lookups = "" if self.lookups == 1 else f", {self.lookups} lookups"
        return f"{self.layout}{inside}{lookups}"

    def schema(self, schema: Schema) -> Schema:
        """The schema with so many lookups of every feature."""
        features = tuple(dataclasses.replace(f, lookups=self.lookups) for f in schema.features)
        return dataclasses.replace(schema, features=features)

    def within(self, budget_bytes: int, dim: int, schema: Schema) -> Layout:
        """The layout with the largest table that fits; the schema has vocabularies.

        Raises:
            ValueError: the method has no table as small.
        """
        make = Unified if self.layout == "unified" else PerFeature
        return make(self.method, dim // self.lookups).within(budget_bytes, schema)


COMBINED = (
    Contender("hash", Hash(), "per feature"),
    Contender("hash", Hash(), lookups=2),
    Contender("qr", QR(), lookups=2),
    Contender("int8", INT8(of=Hash()), inside="hash"),
    Contender("int8", INT8(of=Hash()), lookups=2, inside="hash"),
    Contender("int8", INT8(of=MultiHash()), inside="multihash"),
    Contender("int8", INT8(of=QR()), inside="qr"),
    Contender("int8", INT8(of=ROBE()), inside="robe"),
    Contender("int4", INT4(of=Hash()), inside="hash"),
    Contender("int4", INT4(of=Hash()), lookups=2, inside="hash"),
    Contender("int4", INT4(of=QR()), inside="qr"),
    Contender("int4", INT4(of=CAFE()), inside="cafe"),
    Contender("fp16", FP16(of=QR()), inside="qr"),
    Contender("alpt", ALPT(of=Hash()), lookups=2, inside="hash"),
    Contender("alpt", ALPT(of=QR()), inside="qr"),
    Contender("hotcold", HotCold(INT8(), INT8(of=Hash())), inside="int8, int8 of hash"),
)
CONTENDERS: tuple[Contender, ...] = (
    *(Contender(name, make()) for name, make in METHODS.items() if name != "full"),
    *COMBINED,
)
FULL = Contender("full", METHODS["full"](), "per feature")
