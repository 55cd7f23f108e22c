"""Columns of a log -> the keys of one feature: fingerprints, ranks in a vocabulary, buckets."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64, Integer, Shaped, UInt64

from recsys.features import arrow
from recsys.features.columns import Column, as_array, is_missing, numbers
from recsys.features.dates import seconds
from recsys.features.feature import Feature
from recsys.features.hashing import MISSING, combine, fingerprint
from recsys.features.ragged import Padded, Ragged, fill, lists, pad, texts, words
from recsys.features.transforms import Buckets
from recsys.features.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class Names:
    """Fingerprints of cells: of the different ones where that is less work, and whose is where."""

    fingerprints: UInt64[np.ndarray, "different"]
    cells: Integer[np.ndarray, "cells"] | None = None  # None: each cell has its own

    def at_cells(self, values: Shaped[np.ndarray, "different"]) -> Shaped[np.ndarray, "cells"]:
        """What was worked out for the fingerprints, for each cell."""
        return values if self.cells is None else values[self.cells]


@dataclasses.dataclass(frozen=True, eq=False)
class Named:
    """The cells of a feature by fingerprint, and how many each row has."""

    names: Names
    lengths: Integer[np.ndarray, "rows"]


def names_of(column: Column, name: str) -> Names:
    """Fingerprints of a column that holds one value in each row."""
    try:
        if arrow.is_arrow(column):
            values, cells = arrow.distinct(column)
            return Names(arrow.names(values), cells)
        found = fingerprint(column)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Column {name!r}: {error}") from error
    if found.ndim != 1:
        raise TypeError(
            f"Column {name!r} wants one value in each row, got shape {found.shape}: "
            "declare the feature as a bag or a sequence."
        )
    return Names(found)


def named(feature: Feature, columns: Mapping[str, Column]) -> Named:
    """Fingerprints of all values of a feature, with its default where there is none."""
    rows = len(columns[feature.columns[0]])
    if feature.kind == "categorical":
        parts = [names_of(columns[name], name) for name in feature.columns]
        names = parts[0]
        if feature.cross:
            names = Names(combine(*(part.at_cells(part.fingerprints) for part in parts)))
        if feature.default is not None:
            is_missing = names.fingerprints == MISSING
            default = np.where(is_missing, fingerprint([feature.default]), names.fingerprints)
            names = Names(default, names.cells)
        return Named(names, np.ones(rows, np.int64))
    ragged = _raw(feature, columns[feature.name])
    names = names_of(ragged.values, feature.name)
    if feature.default is None:
        return Named(names, ragged.lengths)
    cells = names.at_cells(names.fingerprints)
    alone = dataclasses.replace(feature, default=None)
    cell = [feature.default] if feature.separator or feature.kind == "text" else [[feature.default]]
    default = named(alone, {feature.name: cell}).names.fingerprints
    filled = fill(cells, present=cells != MISSING, lengths=ragged.lengths, default=default)
    return Named(Names(filled.values), filled.lengths)


def padded_keys(
    feature: Feature, columns: Mapping[str, Column], vocabulary: Vocabulary | None
) -> Padded:
    """The keys of a feature: fingerprints, ranks if it has a vocabulary, or buckets."""
    if isinstance(feature.transform, Buckets):
        keys = feature.transform(measured(feature, columns))
        return Padded(keys[:, None], np.ones((len(keys), 1), bool))
    if feature.ngrams is not None:
        told = [
            text or feature.default or "" for text in texts(columns[feature.name], feature.name)
        ]
        return feature.ngrams.keys(
            list(map(str, told)), most=feature.length // feature.ngrams.places
        )
    if feature.values is not None and vocabulary is None:
        ragged = _ranks(feature, columns)
        keys, present = ragged.values, np.ones(len(ragged.values), bool)
        lengths = ragged.lengths
    else:
        found = named(feature, columns)
        keys, present, lengths = *_looked_up(feature, found.names, vocabulary), found.lengths
    if feature.kind == "categorical":
        return Padded(keys[:, None], np.ones((len(keys), 1), bool))
    return pad(
        keys,
        present=present,
        lengths=lengths,
        length=feature.length,
        keeps_last=feature.kind == "sequence",
    )


def measured(feature: Feature, columns: Mapping[str, Column]) -> Float64[np.ndarray, "rows"]:
    """The numbers of a feature before its transform, with its default where there is none."""
    column = columns[feature.name]
    if feature.date_format is not None:
        values = seconds(column, feature.name, feature.date_format)
    else:
        values = numbers(column, feature.name)
    if feature.default is None:
        return values
    return np.where(np.isnan(values), float(feature.default), values)


def _raw(feature: Feature, column: Column) -> Ragged:
    if feature.kind == "text":
        return words(column, feature.name)
    return lists(column, feature.name, feature.separator)


def _looked_up(
    feature: Feature, names: Names, vocabulary: Vocabulary | None
) -> tuple[UInt64[np.ndarray, "cells"], Bool[np.ndarray, "cells"]]:
    """The keys of cells, and which of them hold anything."""
    keys = names.fingerprints
    present = names.at_cells(keys != MISSING)
    if vocabulary is not None:
        if feature.values is None or vocabulary.size > feature.values:
            raise ValueError(
                f"Feature({feature.name!r}) has values={feature.values}, got a vocabulary of "
                f"{vocabulary.size}: use the schema that with_vocabularies() returned with it."
            )
        keys = vocabulary.ranks(keys).astype(np.uint64)
    return names.at_cells(keys), present


def _ranks(feature: Feature, columns: Mapping[str, Column]) -> Ragged:
    """Ranks of a feature whose column holds them already."""
    if feature.cross:
        raise ValueError(
            f"Feature({feature.name!r}) has values={feature.values} and crosses columns, got no "
            "vocabulary: pass the one that with_vocabularies() returned."
        )
    column = columns[feature.name]
    is_one = feature.kind == "categorical"
    raw = Ragged(column, np.ones(len(column), np.int64)) if is_one else _raw(feature, column)
    ranks = as_array(raw.values)
    if feature.default is not None and ranks.dtype == object:
        ranks = as_array([feature.default if is_missing(rank) else rank for rank in ranks])
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
