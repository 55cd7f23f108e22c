"""Collisions: how many values of a feature share a row with another value, expected and measured.

With n values of a feature among N that hash into a table of m rows, a value is alone among its own
with the chance (1 - 1/m)^(n-1), and alone among the others' with (1 - 1/m)^(N-n).
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Int64, UInt64

from recsys.embedding.layout import Plan
from recsys.embedding.multiplexer import Embedding
from recsys.features.hashing import split
from recsys.report.values import Values
from recsys.tables import Hash
from recsys.tables.base import OUT, EmbeddingTable, Keys, Span

PIECE = 2**18  # keys whose addresses are worked out at once


@dataclasses.dataclass(frozen=True)
class Collisions:
    """Of one lookup of a feature in one stored array, as shares of its values."""

    feature: str
    lookup: int
    table: str
    array: str  # of the table; a method may keep several
    rows: int  # of the array
    values: int
    within: float  # share a row with another value of the feature
    between: float  # share a row with a value of another feature
    expected_within: float | None  # None where the rows are not drawn at random
    expected_between: float | None


def collisions(embed: Embedding, values: Mapping[str, Values]) -> list[Collisions]:
    """Every lookup of every feature."""
    found = []
    for name, plan in embed.plans.items():
        found += _of_table(name, plan, embed.tables[name], values)
    return found


def _of_table(
    name: str, plan: Plan, table: EmbeddingTable, values: Mapping[str, Values]
) -> list[Collisions]:
    space = {feature.name: feature.key_space for feature in plan.features}
    read = [
        _addresses(table, number, values[field.name].keys)
        for number, field in enumerate(plan.fields)
    ]
    found = []
    for array, number in ((array, n) for n, own in enumerate(read) for array in own):
        field, height = plan.fields[number], table.heights[array]
        at = read[number][array]
        # Features of one key space share their rows on purpose, and so do not collide.
        others = [
            read[n][array]
            for n, other in enumerate(plan.fields)
            if space[other.name] != space[field.name] and array in read[n]
        ]
        foreign = np.bincount(np.concatenate([np.zeros(0, np.int64), *others]), minlength=height)
        own = np.bincount(at, minlength=height)
        count, alone = len(values[field.name]), 1 - 1 / height
        is_hashed = isinstance(getattr(plan.method, "of", plan.method), Hash)
        found.append(
            Collisions(
                feature=field.name,
                lookup=sum(other.name == field.name for other in plan.fields[:number]),
                table=name,
                array=array,
                rows=height,
                values=count,
                within=_share(own[at] > 1),
                between=_share(foreign[at] > 0),
                expected_within=1 - alone ** max(count - 1, 0) if is_hashed else None,
                expected_between=1 - alone ** int(foreign.sum()) if is_hashed else None,
            )
        )
    return found


def _addresses(
    table: EmbeddingTable, number: int, keys: UInt64[np.ndarray, "values"]
) -> dict[str, Int64[np.ndarray, "reads"]]:
    """The row that each value reads; of arrays that are read alike, only the first."""
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(keys), PIECE):
        high, low = (jnp.asarray(word)[:, None] for word in split(keys[start : start + PIECE]))
        asked = Keys(high, low, jnp.ones(high.shape, bool), (Span(number, 0, 1),))
        alike = {id(rows): (array, rows) for array, rows in [*table.address(asked).items()][::-1]}
        for array, rows in alike.values():
            at = np.asarray(rows).reshape(-1)
            parts.setdefault(array, []).append(at[at != OUT].astype(np.int64))
    return {array: np.concatenate(own) for array, own in parts.items()}


def _share(is_so: np.ndarray) -> float:
    return float(is_so.mean()) if len(is_so) else 0.0
