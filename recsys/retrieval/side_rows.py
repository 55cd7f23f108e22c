"""Rows of users or of items as a tower reads them: their number, and their features."""

import numpy as np
from jaxtyping import Bool

from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.retrieval.known import Rows


def side_rows(
    schema: Schema, rows: Rows | None, own: str, is_met: Bool[np.ndarray, " rows"]
) -> Batch:
    """The rows of a side, in the order of their numbers.

    Args:
        schema: of the side.
        rows: its features; None where it has none.
        own: the feature of the number itself, if the schema has it.
        is_met: whether training has met it: who was not has no number, as nothing was learned.
    """
    count = len(is_met)
    high, low = (np.zeros((count, schema.places), np.uint32) for _ in range(2))
    valid = np.zeros((count, schema.places), bool)
    for feature in schema.categorical:
        span = schema.span(feature.name)
        if feature.name == own:
            low[:, span], valid[:, span] = np.arange(count)[:, None], is_met[:, None]
        elif rows is not None:
            at = rows.schema.span(feature.name)
            high[:, span], low[:, span] = rows.batch.high[:, at], rows.batch.low[:, at]
            valid[:, span] = rows.batch.valid[:, at]
    numbers = np.zeros((count, 0), np.float32) if rows is None else np.asarray(rows.batch.numbers)
    return Batch(
        high=high,
        low=low,
        valid=valid,
        numbers=numbers.astype(np.float32),
        label=np.zeros(count, np.float32),
        weight=np.ones(count, np.float32),
    )
