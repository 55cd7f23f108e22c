"""Requests to batches: the rows of a request as the programs of a release read them.

What a row leaves out is filled, with what is known of its user or else with the feature's default,
and the answer can say so.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt64

from recsys.features.batch import Batch
from recsys.features.columns import is_missing
from recsys.features.encoding import measured, padded_keys
from recsys.features.feature import Feature
from recsys.features.hashing import split
from recsys.features.schema import Schema
from recsys.features.transforms import Buckets
from recsys.features.vocabulary import Vocabulary
from recsys.release.items import Items
from recsys.release.people import Known

Rows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Encoded:
    """Rows as a batch, and what was not as asked, row by row."""

    batch: Batch
    imputed: list[tuple[str, ...]]  # features that the row left out, and that nobody knew of it
    unknown: list[tuple[str, ...]]  # features with a value that no vocabulary has
    is_known: Bool[np.ndarray, "rows"]  # False: nothing is known of whom or what the row is about

    def __len__(self) -> int:
        """How many rows."""
        return len(self.batch)


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """Users that are known, and how rows name them."""

    column: str  # key of a row: the external id
    known: Known
    histories: tuple[str, ...]  # features that hold items of the catalogue
    items: Items


@dataclasses.dataclass(eq=False)
class _Parts:
    """A batch that is being put together, and what is said of its rows."""

    keys: UInt64[np.ndarray, "rows places"]
    valid: Bool[np.ndarray, "rows places"]
    numbers: Float32[np.ndarray, "rows numbers"]
    imputed: list[list[str]]
    unknown: list[list[str]]
    is_known: Bool[np.ndarray, "rows"]

    @classmethod
    def nothing(cls, rows: int, schema: Schema) -> "_Parts":
        places, numbers = (rows, schema.places), (rows, len(schema.numeric))
        return cls(
            np.zeros(places, np.uint64),
            np.zeros(places, bool),
            np.zeros(numbers, np.float32),
            [[] for _ in range(rows)],
            [[] for _ in range(rows)],
            np.zeros(rows, bool),
        )

    def encoded(self) -> Encoded:
        rows = len(self.keys)
        high, low = split(self.keys)
        label, weight = np.zeros(rows, np.float32), np.ones(rows, np.float32)
        return Encoded(
            Batch(high, low, self.valid, self.numbers, label, weight),
            [tuple(names) for names in self.imputed],
            [tuple(names) for names in self.unknown],
            self.is_known,
        )


class Encoder:
    """Rows of one schema to batches."""

    def __init__(
        self,
        schema: Schema,
        vocabularies: Mapping[str, Vocabulary],
        *,
        no_row: Collection[str] = (),
        people: People | None = None,
    ) -> None:
        """Reads rows as the schema says.

        Args:
            schema: as the programs read it.
            vocabularies: of each feature with `values`, but buckets.
            no_row: features whose model has no row for what their vocabulary does not know: such
                values are left out.
            people: those whom rows may name in place of telling of them.
        """
        self.schema, self.people = schema, people
        self._vocabularies, self._no_row = vocabularies, frozenset(no_row)
        self._features = [self._sized(feature) for feature in schema.features]
        columns = [name for feature in schema.features for name in feature.columns]
        self._allowed: frozenset[str] = frozenset([*columns, *([people.column] if people else [])])
        self._spans = {feature.name: schema.span(feature.name) for feature in schema.categorical}
        self._numbers = {feature.name: n for n, feature in enumerate(schema.numeric)}
        self._own_spans = self._spans_of_known()
        self._blank = _Parts.nothing(1, schema)
        for feature in self._features:
            self._write(self._blank, feature, [dict.fromkeys(columns)], [0])

    def __call__(self, rows: Rows) -> Encoded:
        """Rows as a batch.

        Raises:
            ValueError: a row has a key that is no feature, or a cell cannot be read.
            TypeError: a cell is of a type that its feature does not have.
        """
        found = rows_of(rows)
        parts = self._blanks(len(found))
        named = [self._named(row, n, parts) for n, row in enumerate(found)]
        for feature in self._features:
            told: list[int] = []
            filled: dict[int, int] = {}
            for n, (row, user) in enumerate(zip(found, named, strict=True)):
                if all(_is_there(row.get(name)) for name in feature.columns):
                    told.append(n)
                elif user is not None:
                    filled[n] = user
                else:
                    parts.imputed[n].append(feature.name)
            if filled:
                self._fill(parts, feature, filled)
            if told:
                self._write(parts, feature, found, told)
        return parts.encoded()

    def of_known(self, users: Sequence[int]) -> Encoded:
        """Rows that only name known users, by their rows."""
        parts = self._blanks(len(users))
        for feature in self._features:
            self._fill(parts, feature, dict(enumerate(users)))
        return parts.encoded()

    def _blanks(self, rows: int) -> _Parts:
        """Rows that say nothing."""
        parts = _Parts.nothing(rows, self.schema)
        for name in ("keys", "valid", "numbers"):
            getattr(parts, name)[:] = getattr(self._blank, name)
        return parts

    def _named(self, row: Mapping[str, Any], n: int, parts: _Parts) -> int | None:
        """The row of the known user that a row names, if it names one."""
        if not row.keys() <= self._allowed:
            others = sorted(set(map(str, row)) - self._allowed)
            known = ", ".join(sorted(self._allowed))
            raise ValueError(f"No feature {others[0]!r} is read here: known are {known}.")
        if self.people is None or not _is_there(row.get(self.people.column)):
            return None
        found = self.people.known.row_of(row[self.people.column])
        if found is None and self.people.column not in self._spans:
            parts.unknown[n].append(self.people.column)
        return found

    def _fill(self, parts: _Parts, feature: Feature, filled: Mapping[int, int]) -> None:
        """What is known of the users that some rows name: row -> row of the user."""
        assert self.people is not None
        known, at, users = self.people.known, list(filled), np.array(list(filled.values()))
        if feature.name in self._numbers:
            place = self._numbers[feature.name]  # numbers hold no items: they stand alike in both
            parts.numbers[at, place] = known.numbers[users, place]
            parts.is_known[at] = True
            return
        span = self._spans[feature.name]
        if feature.name in self.people.histories:
            for n, user in filled.items():
                last = self.people.items.keys[known.liked[user][-feature.length :]]
                parts.keys[n, span.start : span.start + len(last)] = last
                parts.valid[n, span] = np.arange(feature.length) < len(last)
        else:
            own = self._own_spans[feature.name]
            parts.keys[at, span] = known.keys[users, own]
            parts.valid[at, span] = known.valid[users, own]
        parts.is_known[at] |= parts.valid[at, span].any(axis=1)

    def _write(
        self,
        parts: _Parts,
        feature: Feature,
        rows: Sequence[Mapping[str, Any]],
        at: list[int],
    ) -> None:
        """What some rows say of a feature."""
        columns = {name: [rows[n][name] for n in at] for name in feature.columns}
        if feature.name in self._numbers:
            values = measured(feature, columns)
            if feature.transform is not None:
                values = feature.transform(values)
            parts.numbers[at, self._numbers[feature.name]] = np.nan_to_num(values)
            parts.is_known[at] = True
            return
        span, vocabulary = self._spans[feature.name], self._vocabularies.get(feature.name)
        padded = padded_keys(feature, columns, vocabulary)
        valid, is_known = padded.valid, padded.valid
        if vocabulary is not None:
            is_known = valid & (padded.keys != len(vocabulary))
            for n in np.flatnonzero((valid & ~is_known).any(axis=1)):
                parts.unknown[at[n]].append(feature.name)
            valid = is_known if feature.name in self._no_row else valid
        parts.keys[at, span], parts.valid[at, span] = padded.keys, valid
        parts.is_known[at] |= is_known.any(axis=1)

    def _sized(self, feature: Feature) -> Feature:
        """The feature with a value more, where its vocabulary has one that the model has not."""
        if feature.values is None or isinstance(feature.transform, Buckets):
            return feature
        if feature.name not in self._vocabularies:
            raise ValueError(
                f"Feature({feature.name!r}) has values={feature.values} and wants a vocabulary, "
                "got none: export it with what its ranks are called."
            )
        size = self._vocabularies[feature.name].size
        return dataclasses.replace(feature, values=max(size, feature.values), counts=None)

    def _spans_of_known(self) -> dict[str, slice]:
        """Where each feature stands in what is known of users."""
        histories = self.people.histories if self.people else ()
        own = [feature for feature in self.schema.features if feature.name not in histories]
        if not own:
            return {}
        schema = Schema(tuple(own), label=None)
        return {feature.name: schema.span(feature.name) for feature in schema.categorical}


def rows_of(rows: Rows) -> Sequence[Mapping[str, Any]]:
    """Rows, told as such or as columns."""
    return _rows(rows) if isinstance(rows, Mapping) else list(rows)


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Columns want one length, got {lengths}: give each a cell in every row.")
    cells = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def _is_there(value: Any) -> bool:
    return not is_missing(value) and not (isinstance(value, str) and not value)
