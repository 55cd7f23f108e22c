"""Schemas that a ranker may meet, and examples of them: features of every kind and width, in
layouts that give each of them a reason to go wrong.
"""

import dataclasses

import numpy as np

from recsys.embedding import Group, Grouped, Layout, PerFeature, Unified
from recsys.features import Batch, Feature, Schema
from recsys.features.transforms import Buckets
from recsys.tables import Full, Hash
from recsys.tables.method import Method

PLAIN = (
    Feature("user", values=60, lookups=2, counts=((3, 59),)),
    Feature("item", values=90, counts=((3, 89),)),
    Feature("tags", kind="bag", length=3, values=40, pooling="sum", counts=((3, 39),)),
    Feature("seen", kind="sequence", length=3, values=90, space="item", counts=((3, 89),)),
)
HASHED = (Feature("user x item", cross=("user", "item")), Feature("title", kind="text", length=4))
NUMBERS = (Feature("hour", kind="numeric"), Feature("price", kind="numeric"))
BUCKETS = Feature("age", kind="numeric", transform=Buckets(3, edges=(-0.5, 0.5)))
EVERY = Schema((*PLAIN[:2], *NUMBERS[:1], *HASHED, *PLAIN[2:], *NUMBERS[1:], BUCKETS))
SCHEMAS = {
    "every kind": EVERY,
    "no numbers": Schema((*PLAIN, *HASHED)),
    "numbers only": Schema(NUMBERS),
    "one feature": Schema(PLAIN[:1]),
    "one bag and a number": Schema((PLAIN[2], NUMBERS[0])),
    "crosses only": Schema(HASHED[:1]),
}


def grouped(method: Method) -> Grouped:
    """Widths of 2, 4, 8 and 16; one table that three features read, two that their feature has
    for itself.
    """
    return Grouped(
        (
            Group(("user x item", "title"), Unified(Hash(rows=64), 2)),
            Group(("tags", "age"), PerFeature(Full(), 4)),
            Group(("user", "item", "seen"), Unified(method, 8)),
        )
    )


LAYOUTS: dict[str, Layout] = {
    "unified": Unified(Hash(rows=120), 6),
    "grouped": grouped(Full()),
}


def examples(schema: Schema, count: int = 32, *, seed: int = 0) -> Batch:
    """Random examples, with empty bags among them."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(0, 40, count) for name in ("user", "item")}
    columns |= {name: rng.normal(size=count) for name in ("hour", "price", "age")}
    columns |= {
        name: [rng.integers(0, 40, length) for length in rng.integers(0, 4, count)]
        for name in ("tags", "seen")
    }
    words = np.array(["a", "tale", "of", "two", "cities", "and", "one", "whale"])
    columns["title"] = [" ".join(rng.choice(words, length)) for length in rng.integers(0, 6, count)]
    columns["label"] = rng.integers(0, 2, count)
    batch = schema.encode(columns)
    return dataclasses.replace(batch, weight=rng.random(count).astype(np.float32))
