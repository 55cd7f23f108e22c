"""Why an item or a probability: the skills of an explicit space, or features left out in turn.

In an explicit space a score is the sum of its skills' shares, exactly. Elsewhere the share of a
feature is what the score loses when the feature is not told.
"""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float32

from recsys.features import Batch
from recsys.release import Encoded
from serving import messages
from serving.loaded import Loaded
from serving.refusals import invalid


def explained(
    loaded: Loaded, asked: messages.Explain, encoded: Encoded, told: dict[str, Any]
) -> messages.Reasons:
    """The reasons of one score."""
    release = loaded.release
    if release.task == "click":
        scores = release.predict(_left_out(loaded, encoded.batch))
        return _by_features(loaded, scores, asked.most, told)
    if asked.item is None:
        raise invalid("An explanation wants an item, got none: name one.")
    row = np.array([loaded.row(asked.item)])
    if release.skills is not None:
        query = release.users(encoded.batch)[0]
        found = loaded.index.contributions(query, row, most=asked.most)
        named = [
            messages.Share(release.skills[entry], float(share))
            for entry, share in zip(found.entries[0, 0], found.shares[0, 0], strict=True)
            if entry >= 0
        ]
        score = float(query @ loaded.index.vectors(row)[0])
        return messages.Reasons(score=score, by="skills", reasons=named, **told)
    vectors = release.users(_left_out(loaded, encoded.batch))
    return _by_features(loaded, vectors @ loaded.index.vectors(row)[0], asked.most, told)


def _by_features(
    loaded: Loaded,
    scores: Float32[np.ndarray, "variants"],
    most: int,
    told: dict[str, Any],
) -> messages.Reasons:
    names = [feature.name for feature in loaded.release.schema.features]
    shares = [
        messages.Share(name, float(share))
        for name, share in zip(names, scores[0] - scores[1:], strict=True)
    ]
    shares.sort(key=lambda one: -abs(one.share))
    return messages.Reasons(score=float(scores[0]), by="features", reasons=shares[:most], **told)


def _left_out(loaded: Loaded, batch: Batch) -> Batch:
    """The row as it is, and without each feature in turn."""
    schema = loaded.release.schema
    count = len(schema.features) + 1
    rows: Any = jax.tree.map(lambda array: np.repeat(array[:1], count, axis=0), batch)
    numeric = [feature.name for feature in schema.numeric]
    for place, feature in enumerate(schema.features, start=1):
        if feature.reads_table:
            rows.valid[place, schema.span(feature.name)] = False
        else:
            rows.numbers[place, numeric.index(feature.name)] = 0
    return rows
