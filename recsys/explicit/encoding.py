"""Documents as the arrays that a model reads."""

from typing import Any

import numpy as np
from jaxtyping import Integer

from recsys.explicit.documents import Documents
from recsys.features.batch import ArrayOf, Batch
from recsys.features.hashing import split
from recsys.features.links import Rectangle, rectangle
from recsys.models.explicit import SKILLS, TEXT, Explicit
from recsys.models.pairs import Pairs


def encoded(spec: Explicit, documents: Documents) -> Pairs:
    """Documents without pairs, and without what is known of them."""
    texts: Any = list(documents.texts)
    schema = spec.schema
    feature = schema.features[0]
    ngrams = spec.ngrams
    padded = ngrams.keys(texts, most=feature.length // ngrams.places)
    high, low = split(padded.keys)
    parts = [(high, low, padded.valid)]
    given = np.zeros((len(documents), 0), np.float32)
    if spec.stated is not None:
        skills = rectangle(documents.given, most=spec.stated.length)
        given = skills.grades
        words = skills.numbers.astype(np.uint32)
        parts.append((np.zeros_like(words), words, given > 0))
    assert [f.name for f in schema.features] == [TEXT, SKILLS][: len(parts)]
    high, low, valid = (np.concatenate(side, axis=1) for side in zip(*parts, strict=True))
    own = spoken(spec, documents)
    return alone(high, low, valid, given, own.numbers, own.grades)


def spoken(spec: Explicit, documents: Documents) -> Rectangle:
    """The words of documents that stand for themselves; nothing where no linker has read them."""
    if documents.words is None or not spec.words:
        most = spec.spoken if spec.words else 0
        shape = (len(documents), most)
        return Rectangle(np.zeros(shape, np.int32), np.zeros(shape, np.float32))
    return rectangle(documents.words, most=spec.spoken)


def alone(
    high: ArrayOf, low: ArrayOf, valid: ArrayOf, given: ArrayOf, words: ArrayOf, counts: ArrayOf
) -> Pairs:
    """Documents that are not compared, and of which nothing is known."""
    rows = high.shape[0]
    return Pairs(
        high=high,
        low=low,
        valid=valid,
        numbers=np.zeros((rows, 0), np.float32),
        label=np.zeros(rows, np.float32),
        weight=np.ones(rows, np.float32),
        given=given,
        known=np.zeros((rows, 0), np.int32),
        grade=np.zeros((rows, 0), np.float32),
        words=words,
        counts=counts,
        is_relevant=np.zeros((0, 0), bool),
        log_count=np.zeros(0, np.float32),
        pair_weight=np.zeros(0, np.float32),
    )


def taken(batch: Batch, rows: Integer[np.ndarray, "taken"]) -> dict[str, np.ndarray]:
    """What some rows of encoded documents read, by name."""
    names = ("high", "low", "valid", "numbers", "label", "weight", "given", "words", "counts")
    return {name: np.asarray(getattr(batch, name))[rows] for name in names}
