"""Why an item or a probability: the skills of an explicit space, or what is told left out in turn.

In an explicit space a score is the sum of its skills' shares, exactly. Elsewhere the share of a
feature, or of an item of the history, is what the score loses when it is not told.
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Float32

from recsys.features import Batch
from recsys.features.hashing import Words, join
from recsys.release import Encoded
from serving import messages
from serving.loaded import Loaded
from serving.refusals import invalid


@dataclasses.dataclass(frozen=True)
class Part:
    """Something that was told, and what it is called."""

    name: str
    title: str | None
    places: slice | None  # of the keys that are left out
    number: int | None = None  # column of the number that is
    is_item: bool = False  # of the history


def explained(
    loaded: Loaded, asked: messages.Explain, encoded: Encoded, told: dict[str, Any]
) -> messages.Reasons:
    """The reasons of one score."""
    release, batch = loaded.release, encoded.batch
    if release.task == "click":
        parts = _features(loaded, batch)
        return _by_parts(release.predict(_left_out(batch, parts)), parts, asked.most, told)
    if asked.item is None:
        raise invalid("An explanation wants an item, got none: name one.")
    row = np.array([loaded.row(asked.item)])
    item = loaded.index.vectors(row)[0]
    if release.skills is not None:
        query = release.users(batch)[0]
        found = loaded.index.contributions(query, row, most=asked.most)
        named = [
            messages.Share(release.skills[entry], float(share))
            for entry, share in zip(found.entries[0, 0], found.shares[0, 0], strict=True)
            if entry >= 0
        ]
        return messages.Reasons(score=float(query @ item), by="skills", reasons=named, **told)
    parts = [*_history(loaded, batch), *_features(loaded, batch)]
    return _by_parts(release.users(_left_out(batch, parts)) @ item, parts, asked.most, told)


def _by_parts(
    scores: Float32[np.ndarray, "variants"], parts: list[Part], most: int, told: dict[str, Any]
) -> messages.Reasons:
    shares = [
        messages.Share(part.name, float(share), part.title)
        for part, share in zip(parts, scores[0] - scores[1:], strict=True)
    ]
    shares.sort(key=lambda one: -abs(one.share))
    by = "history" if any(part.is_item for part in parts) else "features"
    return messages.Reasons(score=float(scores[0]), by=by, reasons=shares[:most], **told)


def _features(loaded: Loaded, batch: Batch) -> list[Part]:
    """Every feature; the history is told by its items, where it has any."""
    schema, history = loaded.release.schema, loaded.release.history
    numeric = [feature.name for feature in schema.numeric]
    found = []
    for feature in schema.features:
        if not feature.reads_table:
            found.append(Part(feature.name, None, None, numeric.index(feature.name)))
        elif feature.name != history or not batch.valid[0, schema.span(feature.name)].any():
            found.append(Part(feature.name, None, schema.span(feature.name)))
    return found


def _history(loaded: Loaded, batch: Batch) -> list[Part]:
    """The items of the history that the catalogue has."""
    release = loaded.release
    if release.history is None:
        return []
    assert release.items is not None
    span = release.schema.span(release.history)
    keys = join(Words(batch.high[0, span], batch.low[0, span]))
    rows = np.flatnonzero(np.isin(release.items.keys, keys[batch.valid[0, span]]))
    row_of = dict(zip(release.items.keys[rows].tolist(), rows.tolist(), strict=True))
    found = []
    for place, key in enumerate(keys.tolist(), start=span.start):
        if key in row_of and batch.valid[0, place]:
            row = row_of[key]
            title = release.items.get(row).get("title")
            shown = str(title) if title else None
            at = slice(place, place + 1)
            found.append(Part(release.items.ids[row], shown, at, is_item=True))
    return found


def _left_out(batch: Batch, parts: list[Part]) -> Batch:
    """The row as it is, and without each part in turn."""
    rows: Any = jax.tree.map(lambda array: np.repeat(array[:1], len(parts) + 1, axis=0), batch)
    for place, part in enumerate(parts, start=1):
        if part.places is not None:
            rows.valid[place, part.places] = False
        else:
            rows.numbers[place, part.number] = 0
    return rows
