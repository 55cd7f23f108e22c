"""How the examples of two towers are packed: a user, items it chose, and candidates for the batch.

An item has a *slot* of places in each of its features. The first slots of an example are what the
user chose (targets), the others are candidates that it brings along for the whole batch. Numbers
beside them say how often each slot's item was expected to be a candidate of the batch.
"""

import dataclasses

from recsys.features.feature import Feature
from recsys.features.schema import Schema

LOG_COUNT = "log_count"  # columns of `numbers`, one a slot


def packed(schema: Schema, items: tuple[str, ...], slots: int, *, is_counted: bool) -> Schema:
    """The schema of examples with so many slots for items.

    Args:
        schema: one user and one item.
        items: names of the features of an item.
        slots: items of an example.
        is_counted: whether the batch says how often each is expected.

    Raises:
        ValueError: an item has a number, and several slots.
    """
    counts = tuple(
        Feature(f"{LOG_COUNT}.{slot}", kind="numeric") for slot in range(slots if is_counted else 0)
    )
    features = tuple(
        _slotted(feature, slots) if feature.name in items else feature
        for feature in schema.features
    )
    return dataclasses.replace(schema, features=(*features, *counts))


def _slotted(feature: Feature, slots: int) -> Feature:
    if slots == 1:
        return feature
    if not feature.reads_table or feature.kind == "numeric":
        raise ValueError(
            f"Feature({feature.name!r}) is a number of an item, of which an example holds one, got "
            f"{slots} slots: make it categorical before, or use one target and no candidates."
        )
    kind = "bag" if feature.kind == "categorical" else feature.kind
    return dataclasses.replace(feature, kind=kind, cross=(), length=feature.length * slots)
