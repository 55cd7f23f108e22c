"""Which feature reads which table: one for all (Unified), one each (PerFeature), or by groups
(Grouped).

Multiplexing is a layout, not a method: the layout gives each feature its fields (a salt for every
lookup), and the same method is built over one field or over all of them.
"""

import dataclasses

from recsys.features.hashing import salt
from recsys.features.schema import Feature, Schema
from recsys.spec import spec
from recsys.tables.base import Field
from recsys.tables.method import Method


@dataclasses.dataclass(frozen=True)
class Plan:
    """One table to be: its method, the width of its vectors, and the features that read it."""

    method: Method
    dim: int
    features: tuple[Feature, ...]
    fields: tuple[Field, ...]  # one for every lookup of every feature, in order

    @property
    def table_bytes(self) -> int:
        return self.method.table_bytes(self.dim, self.fields)

    def within(self, budget_bytes: int) -> "Plan":
        method = self.method.within(budget_bytes, self.dim, self.fields)
        return dataclasses.replace(self, method=method)


def plan(method: Method, dim: int, features: tuple[Feature, ...]) -> Plan:
    """A table of `method` that the given features read."""
    if dim < 1:
        raise ValueError(f"Vectors need at least one dimension, got dim={dim}: use dim >= 1.")
    fields = tuple(
        Field(
            feature.name,
            values=feature.values,
            salt=salt(feature.key_space, lookup),
            counts=feature.counts,
        )
        for feature in features
        for lookup in range(feature.lookups)
    )
    return Plan(method, dim, features, fields)


@spec
@dataclasses.dataclass(frozen=True)
class Unified:
    """Every categorical feature reads one table (Coleman et al., NeurIPS 2023)."""

    method: Method
    dim: int = 16  # width of one lookup

    def plans(self, schema: Schema) -> dict[str, Plan]:
        """The tables, by name."""
        return {"unified": plan(self.method, self.dim, schema.categorical)}

    def within(self, budget_bytes: int, schema: Schema) -> "Unified":
        """The same layout with the largest table that fits.

        Raises:
            ValueError: not even the method's smallest table fits.
        """
        fitted = self.plans(schema)["unified"].within(budget_bytes)
        return dataclasses.replace(self, method=fitted.method)


@spec
@dataclasses.dataclass(frozen=True)
class PerFeature:
    """Every feature has a table of its own."""

    method: Method
    dim: int = 16
    fitted: tuple[Method, ...] = ()  # a method a feature, as `within` leaves it

    def plans(self, schema: Schema) -> dict[str, Plan]:
        """The tables, by feature."""
        methods = self.fitted or (self.method,) * len(schema.categorical)
        if len(methods) != len(schema.categorical):
            raise ValueError(
                f"PerFeature was fitted to {len(methods)} features and the schema has "
                f"{len(schema.categorical)}: call within() again for this schema."
            )
        return {
            feature.name: plan(method, self.dim, (feature,))
            for feature, method in zip(schema.categorical, methods, strict=True)
        }

    def within(self, budget_bytes: int, schema: Schema) -> "PerFeature":
        """The same layout with the budget shared by vocabulary size, so that each is compressed
        alike.

        A feature never gets less than its method's floor, which small vocabularies reach first.

        Raises:
            ValueError: the floors alone exceed the budget.
        """
        plans = tuple(self.plans(schema).values())
        floors = [
            p.method.dial(p.dim, p.fields).make(0).table_bytes(p.dim, p.fields) for p in plans
        ]
        if sum(floors) > budget_bytes:
            raise ValueError(
                f"{type(self.method).__name__} needs at least {sum(floors):,} bytes for tables for "
                f"each of {len(plans)} features, got a budget of "
                f"{budget_bytes:,}: give it more, or share one table (Unified)."
            )
        weights = [max(1, sum(f.values or 2**20 for f in p.fields)) for p in plans]
        low, high = 0.0, budget_bytes / min(weights)  # bytes a value

        def shares(rate: float) -> list[int]:
            return [max(floor, int(rate * w)) for floor, w in zip(floors, weights, strict=True)]

        for _ in range(64):
            rate = (low + high) / 2
            low, high = (rate, high) if sum(shares(rate)) <= budget_bytes else (low, rate)
        fitted = [p.within(share) for p, share in zip(plans, shares(low), strict=True)]
        left = budget_bytes - sum(p.table_bytes for p in fitted)
        for number, p in enumerate(fitted):  # what rounding left over, to the last whole setting
            fitted[number] = p.within(p.table_bytes + left)
            left -= fitted[number].table_bytes - p.table_bytes
        return dataclasses.replace(self, fitted=tuple(p.method for p in fitted))


@spec
@dataclasses.dataclass(frozen=True)
class Group:
    """Features that are laid out together."""

    features: tuple[str, ...]
    layout: Unified | PerFeature


@spec
@dataclasses.dataclass(frozen=True)
class Grouped:
    """Groups of features, each with a layout of its own: tiny features exact, the rest
    multiplexed.
    """

    groups: tuple[Group, ...]

    def plans(self, schema: Schema) -> dict[str, Plan]:
        """The tables, by the number of the group and their name within it.

        Raises:
            ValueError: a feature is in no group, in two, or unknown.
        """
        named = [name for group in self.groups for name in group.features]
        known = [feature.name for feature in schema.categorical]
        if sorted(named) != sorted(known):
            raise ValueError(
                f"Grouped wants each of {', '.join(known)} in exactly one group, "
                f"got {', '.join(named)}: "
                "name every categorical feature once."
            )
        return {
            f"{number}.{name}": table
            for number, group in enumerate(self.groups)
            for name, table in group.layout.plans(_only(schema, group.features)).items()
        }

    def within(self, budget_bytes: int, schema: Schema) -> "Grouped":
        """The last group takes what the groups before it leave: they stay exactly as they are.

        Raises:
            ValueError: what is left is below the last group's floor.
        """
        last = self.groups[-1]
        taken = [
            table.table_bytes
            for group in self.groups[:-1]
            for table in group.layout.plans(_only(schema, group.features)).values()
        ]
        fitted = last.layout.within(budget_bytes - sum(taken), _only(schema, last.features))
        groups = (*self.groups[:-1], dataclasses.replace(last, layout=fitted))
        return dataclasses.replace(self, groups=groups)


Layout = Unified | PerFeature | Grouped


def _only(schema: Schema, names: tuple[str, ...]) -> Schema:
    kept = tuple(feature for feature in schema.features if feature.name in names)
    return dataclasses.replace(schema, features=kept)
