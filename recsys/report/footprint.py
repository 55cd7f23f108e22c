"""Bytes by table and by feature: what a model weighs, and who makes it so heavy."""

import dataclasses
from collections.abc import Mapping

from recsys.embedding.multiplexer import Embedding
from recsys.report.values import Values


@dataclasses.dataclass(frozen=True)
class TableBytes:
    """One table as it is saved."""

    table: str
    method: str  # the spec that built it
    features: tuple[str, ...]  # that read it
    table_bytes: int


@dataclasses.dataclass(frozen=True)
class FeatureBytes:
    """A feature's part of the tables, and of what turns raw values into keys."""

    feature: str
    table: str
    values: int  # that training saw, or that its vocabulary has
    lookups: int
    width: int  # of its vector
    table_bytes: int  # of its table, shared out by the values (times lookups) that read it
    vocabulary_bytes: int  # 8 for each value of a vocabulary, none for a hashed feature


def by_table(embed: Embedding) -> list[TableBytes]:
    """Each table of a model."""
    return [
        TableBytes(name, str(plan.method), tuple(f.name for f in plan.features), plan.table_bytes)
        for name, plan in embed.plans.items()
    ]


def by_feature(embed: Embedding, values: Mapping[str, Values]) -> list[FeatureBytes]:
    """Each feature of a model; a table that several read is shared out among them."""
    rows = []
    for name, plan in embed.plans.items():
        reads = {f.name: max(1, len(values[f.name])) * f.lookups for f in plan.features}
        for feature in plan.features:
            share = reads[feature.name] / sum(reads.values())
            rows.append(
                FeatureBytes(
                    feature=feature.name,
                    table=name,
                    values=len(values[feature.name]),
                    lookups=feature.lookups,
                    width=feature.lookups * plan.dim,
                    table_bytes=round(share * plan.table_bytes),
                    vocabulary_bytes=8 * (feature.values or 0),
                )
            )
    return rows
