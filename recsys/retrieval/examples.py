"""Interactions as the rows that two towers read: users, their histories, and items.

Features of users and items that are not interactions come as batches, one row a user and one row an
item, encoded by the two schemas that `side` cuts out of a model's schema.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int, UInt32
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.models.two_tower import TwoTower

Places = tuple[
    UInt32[np.ndarray, "n places"], UInt32[np.ndarray, "n places"], Bool[np.ndarray, "n places"]
]


def item_schema(spec: TwoTower) -> Schema:
    """What is known of an item by itself."""
    return _only(spec.schema, spec.item.features)


def user_schema(spec: TwoTower) -> Schema | None:
    """What is known of a user beside its history; None where that is nothing."""
    names = tuple(name for name in spec.user.features if name not in spec.known)
    return _only(spec.schema, names) if names else None


def numbered(count: int, schema: Schema) -> Batch:
    """Rows that have nothing but their number, as an item or a user without features has."""
    if [feature.length for feature in schema.features] != [1] or schema.numeric:
        names = ", ".join(feature.name for feature in schema.features)
        raise ValueError(
            f"Rows of more than a number want their features {names} encoded: give them as a batch."
        )
    return schema.encode({schema.features[0].name: np.arange(count)})


@dataclasses.dataclass(frozen=True, eq=False)
class Sides:
    """Users and items of a data set, one row each, and who met what."""

    spec: TwoTower
    train: csr_array  # (users, items)
    items: Batch  # of `item_schema`
    users: Batch | None  # of `user_schema`

    @classmethod
    def of(
        cls,
        spec: TwoTower,
        train: csr_array,
        items: Batch | None = None,
        users: Batch | None = None,
    ) -> "Sides":
        """With rows of numbers where there are no features."""
        own = user_schema(spec)
        users_count, items_count = size(train)
        if items is None:
            items = numbered(items_count, item_schema(spec))
        if users is None and own is not None:
            users = numbered(users_count, own)
        counts = (len(items), users_count if users is None else len(users))
        if counts != (items_count, users_count):
            raise ValueError(
                f"Interactions of {users_count:,} users and {items_count:,} items want a row each, "
                f"got {counts[1]:,} and {counts[0]:,}: number users, items and rows together."
            )
        return cls(spec, train, items, users)

    def pack(
        self,
        users: Int[np.ndarray, " batch"],
        history: Int[np.ndarray, "batch length"],
        is_history: Bool[np.ndarray, "batch length"],
        items: Int[np.ndarray, "batch slots"],
        is_item: Bool[np.ndarray, "batch slots"],
        *,
        log_count: np.ndarray | None = None,
        weight: np.ndarray | None = None,
    ) -> Batch:
        """A batch of the packed schema; histories are cut or padded to their feature's length."""
        spec, rows = self.spec, len(users)
        parts: dict[str, Places] = {}
        own = user_schema(spec)
        if own is not None and self.users is not None:
            for feature in own.categorical:
                parts[feature.name] = _places(self.users, own, feature.name, users)
        about = item_schema(spec)
        for name in spec.known:
            length = next(f.length for f in spec.schema.features if f.name == name)
            first = spec.item.features[0]
            high, low, valid = _places(self.items, about, first, _cut(history, length))
            parts[name] = high, low, valid & _cut(is_history, length)
        for feature in about.categorical:
            high, low, valid = _places(self.items, about, feature.name, items)
            there = np.repeat(is_item, feature.length, axis=1)
            parts[feature.name] = high, low, valid & there
        order = [parts[feature.name] for feature in spec.schema.categorical]
        high, low, valid = (np.concatenate(side, axis=1) for side in zip(*order, strict=True))
        numbers = [self._number(f.name, users, items[:, 0])[:, None] for f in spec.schema.numeric]
        if spec.is_counted:
            numbers.append(np.zeros(items.shape) if log_count is None else log_count)
        return Batch(
            high=high,
            low=low,
            valid=valid,
            numbers=np.concatenate([*numbers, np.zeros((rows, 0))], axis=1).astype(np.float32),
            label=np.zeros(rows, np.float32),
            weight=np.ones(rows, np.float32) if weight is None else weight.astype(np.float32),
        )

    def _number(self, name: str, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        about = item_schema(self.spec)
        rows, schema, at = self.items, about, items
        if name not in self.spec.item.features:
            rows, schema, at = self.users, user_schema(self.spec), users
        assert rows is not None
        assert schema is not None
        place = [feature.name for feature in schema.numeric].index(name)
        return np.asarray(rows.numbers)[at, place]


def _only(schema: Schema, names: tuple[str, ...]) -> Schema:
    kept = tuple(feature for feature in schema.features if feature.name in names)
    return Schema(kept, label=None)


def _places(batch: Batch, schema: Schema, name: str, rows: np.ndarray) -> Places:
    """A feature's places of some rows, those of several rows side by side."""
    span = schema.span(name)
    high, low, valid = (
        np.asarray(array)[:, span][rows].reshape(len(rows), -1)
        for array in (batch.high, batch.low, batch.valid)
    )
    return high, low, valid


def _cut(array: np.ndarray, length: int) -> np.ndarray:
    array = array[:, :length]
    return np.pad(array, ((0, 0), (0, length - array.shape[1])))
