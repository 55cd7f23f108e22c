"""Rows of an explicit space: documents, whose texts may be linked to more than they state.

Its programs read more than the places of its schema: behind them the words that stand for
themselves, by number; and as numbers how much each stated skill and each of those words counts.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32
from scipy.sparse import csr_array

from recsys.features.batch import ArrayOf, Batch
from recsys.features.schema import Schema
from recsys.release.encoding import Encoded, Encoder, Rows, rows_of
from recsys.release.programs import Width

LINKS = "links"  # the folder of what texts are linked by


@dataclasses.dataclass(frozen=True)
class Told:
    """What a release says of its documents."""

    stated: int  # most skills that a document states
    spoken: int  # most words that stand for themselves
    gain: float | None  # of what a text is linked to; None: texts are not linked

    def beside(self, width: Width) -> Width:
        """How wide batches are, beside the width of their schema's."""
        return Width(width.places + self.spoken, width.numbers + self.stated + self.spoken)


def laid_out(
    batch: Batch,
    given: Float32[ArrayOf, "rows stated"],
    words: Int32[ArrayOf, "rows spoken"],
    counts: Float32[ArrayOf, "rows spoken"],
) -> Batch:
    """Documents as programs read them.

    Args:
        batch: their keys: text and stated skills.
        given: how much they state each skill.
        words: that stand for themselves, by number.
        counts: how much each of those counts.
    """
    beside = np.zeros(words.shape, np.uint32)
    return Batch(
        high=np.concatenate([np.asarray(batch.high), beside], axis=1),
        low=np.concatenate([np.asarray(batch.low), np.asarray(words, np.uint32)], axis=1),
        valid=np.concatenate([np.asarray(batch.valid), np.asarray(counts) > 0], axis=1),
        numbers=np.concatenate([given, counts], axis=1),
        label=np.asarray(batch.label),
        weight=np.asarray(batch.weight),
    )


class DocumentEncoder:
    """Rows of documents to batches."""

    def __init__(self, encoder: Encoder, schema: Schema, told: Told, folder: Path) -> None:
        """Reads what texts are linked by, if they are."""
        self._encoder, self._told, self._links = encoder, told, None
        self._text = next(f.name for f in schema.features if f.ngrams is not None)
        others = [f.name for f in schema.features if f.ngrams is None]
        self._stated = schema.span(others[0]) if others else slice(0, 0)
        if told.gain is not None:
            from recsys.features.links import Links  # not where no text is linked

            self._links = Links.open(folder)

    def __call__(self, rows: Rows) -> Encoded:
        """Rows as a batch.

        Raises:
            ValueError: a row has a key that is no feature, or a cell cannot be read.
            TypeError: a cell is of a type that its feature does not have.
        """
        found = self._encoder(rows)
        texts = [row.get(self._text) for row in rows_of(rows)]
        return self._linked(found, [text if isinstance(text, str) else "" for text in texts])

    def of_known(self, users: Sequence[int]) -> Encoded:
        """Rows that only name known users, of whom a space of documents has none."""
        return self._linked(self._encoder.of_known(users), [""] * len(users))

    def _linked(self, found: Encoded, texts: Sequence[str]) -> Encoded:
        batch, told = found.batch, self._told
        valid = np.asarray(batch.valid)[:, self._stated]
        words = np.zeros((len(texts), told.spoken), np.int32)
        counts = words.astype(np.float32)
        if self._links is None:
            given = valid.astype(np.float32)
            return dataclasses.replace(found, batch=laid_out(batch, given, words, counts))
        from recsys.features.links import rectangle

        low = np.asarray(batch.low)[:, self._stated]
        linked, found_words = self._links.read(texts)
        stated = rectangle(self._given(low, valid, linked), most=told.stated)
        if told.spoken:
            spoken = rectangle(found_words, most=told.spoken)
            words, counts = spoken.numbers, spoken.grades
        own = {name: np.asarray(getattr(batch, name)).copy() for name in ("high", "low", "valid")}
        own["high"][:, self._stated] = 0
        own["low"][:, self._stated] = stated.numbers
        own["valid"][:, self._stated] = stated.grades > 0
        keys = dataclasses.replace(batch, **own)
        return dataclasses.replace(
            found,
            batch=laid_out(keys, stated.grades, words, counts),
            is_known=found.is_known | (stated.grades > 0).any(axis=1) | (counts > 0).any(axis=1),
        )

    def _given(self, low: np.ndarray, valid: np.ndarray, linked: Any) -> csr_array:
        """What documents state, each skill once, and what their texts are linked to."""
        linked = linked * np.float32(self._told.gain or 0.0)
        row, place = np.nonzero(valid)
        ones = np.ones(len(row), np.float32)
        stated = csr_array((ones, (row, low[row, place].astype(np.int64))), shape=linked.shape)
        stated.sum_duplicates()
        stated.data[:] = 1
        return csr_array(linked.maximum(stated))


def told_of(manifest: Mapping[str, Any]) -> Told | None:
    """What a manifest says of its documents; None of another task."""
    return Told(**manifest["documents"]) if manifest.get("documents") else None
