"""Columns of a log -> the keys of one feature: fingerprints, or ranks in a vocabulary."""

from collections.abc import Mapping

import numpy as np

from recsys.features.columns import Column, Padded, Ragged, as_array, lists, pad
from recsys.features.feature import Feature
from recsys.features.hashing import MISSING, combine, fingerprint
from recsys.features.vocabulary import Vocabulary


def padded_keys(
    feature: Feature, columns: Mapping[str, Column], vocabulary: Vocabulary | None
) -> Padded:
    """The keys of a feature: fingerprints, or ranks if it has a vocabulary."""
    if feature.values is not None and vocabulary is None:
        ragged = _ranks(feature, columns)
        keys, present = ragged.values, np.ones(len(ragged.values), bool)
    else:
        ragged = fingerprints_of(feature, columns)
        keys, present = ragged.values, ragged.values != MISSING
    if vocabulary is not None:
        if feature.values is None or vocabulary.size > feature.values:
            raise ValueError(
                f"Feature({feature.name!r}) has values={feature.values}, got a vocabulary of "
                f"{vocabulary.size}: use the schema that with_vocabularies() returned with it."
            )
        keys = vocabulary.ranks(keys).astype(np.uint64)
    if feature.kind == "categorical":
        return Padded(keys[:, None], np.ones((len(keys), 1), bool))
    return pad(
        keys,
        present=present,
        lengths=ragged.lengths,
        length=feature.length,
        keeps_last=feature.kind == "sequence",
    )


def _raw(feature: Feature, column: Column) -> Ragged:
    if feature.kind != "categorical":
        return lists(column, feature.name)
    return Ragged(column, np.ones(len(column), np.int64))


def fingerprints_of(feature: Feature, columns: Mapping[str, Column]) -> Ragged:
    """Fingerprints of all values of a feature."""
    raw = [_raw(feature, columns[name]) for name in feature.columns]
    parts = []
    for name, part in zip(feature.columns, raw, strict=True):
        try:
            parts.append(fingerprint(part.values))
        except (TypeError, ValueError) as error:
            raise type(error)(f"Column {name!r}: {error}") from error
        if parts[-1].ndim != 1:
            raise TypeError(
                f"Column {name!r} wants one value in each row, got shape {parts[-1].shape}: "
                "declare the feature as a bag or a sequence."
            )
    values = combine(*parts) if feature.cross else parts[0]
    return Ragged(values, raw[0].lengths)


def _ranks(feature: Feature, columns: Mapping[str, Column]) -> Ragged:
    """Ranks of a feature whose column holds them already."""
    if feature.cross:
        raise ValueError(
            f"Feature({feature.name!r}) has values={feature.values} and crosses columns, got no "
            "vocabulary: pass the one that with_vocabularies() returned."
        )
    raw = _raw(feature, columns[feature.name])
    ranks = as_array(raw.values)
    if ranks.size and (ranks.dtype.kind not in "iu" or ranks.ndim != 1):
        raise TypeError(
            f"Feature({feature.name!r}) has values={feature.values} and no vocabulary, so it wants "
            f"a rank in each row, got {ranks.dtype} {ranks.shape}: pass the "
            "vocabulary that with_vocabularies() returned."
        )
    limit = feature.values or 0
    bad = np.flatnonzero((ranks < 0) | (ranks >= limit))
    if len(bad):
        raise ValueError(
            f"Feature({feature.name!r}) has no vocabulary, so it wants ranks from 0 to "
            f"{limit - 1}, got {ranks[bad[0]]}: pass the vocabulary, or raise values."
        )
    return Ragged(ranks.astype(np.uint64), raw.lengths)
