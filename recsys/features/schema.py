"""Which columns of a log a model reads, and how rows of a log become a batch.

Features that read tables lie side by side in the batch: a categorical feature takes one place, a
bag, a sequence or a text as many as its length, a number in buckets one. Other numeric features are
columns of `numbers`.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float32, Float64, UInt64

from recsys.features.batch import Batch
from recsys.features.columns import Column, complete, refuse
from recsys.features.dates import check_format, seconds
from recsys.features.encoding import measured, names_of, padded_keys
from recsys.features.feature import Feature
from recsys.features.hashing import MISSING, fingerprint, split
from recsys.features.vocabulary import Vocabulary
from recsys.spec import spec

__all__ = ["Feature", "Schema"]


@spec
@dataclasses.dataclass(frozen=True)
class Schema:
    """The features of an example, in the order of their places in a batch."""

    features: tuple[Feature, ...]
    label: str | None = "label"  # column of what is predicted
    weight: str | None = None  # column of how much an example counts, at least 0
    timestamp: str | None = None  # column of when it happened: for splits by time
    user: str | None = None  # column of whom it happened to: for splits and grouped metrics
    item: str | None = None  # column of what it happened with: for items a user has seen
    title: str | None = None  # column of what the item is called, to be shown to people
    date_format: str | None = None  # of the timestamp: iso, strptime's, or a unit since 1970
    positive: str | float | None = None  # labels of this word, or of at least this number, are 1

    def __post_init__(self) -> None:
        """Refuses a schema that says one thing twice, or lets a model read its own answer."""
        names = [feature.name for feature in self.features]
        if not names:
            raise ValueError("Schema wants at least one feature, got none: add one.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Schema wants each feature once, got {twice} again: rename or drop.")
        self._check_spaces()
        for feature in self.features:
            if {self.label, self.weight} & {feature.name, *feature.columns}:
                raise ValueError(
                    f"Feature({feature.name!r}) reads the label {self.label!r} or the weight "
                    f"{self.weight!r}, which a model must not see: drop the feature."
                )
        wrong = check_format(self.date_format)
        if wrong:
            raise ValueError(f"Schema {wrong}")

    def _check_spaces(self) -> None:
        sizes: dict[str, Feature] = {}
        for feature in self.categorical:
            other = sizes.setdefault(feature.key_space, feature)
            if other.values != feature.values:
                raise ValueError(
                    f"Features {other.name!r} and {feature.name!r} share the key space "
                    f"{feature.key_space!r} and want the same values, got {other.values} and "
                    f"{feature.values}: give both one vocabulary."
                )

    @property
    def categorical(self) -> tuple[Feature, ...]:
        """The features that read tables: bags, sequences, texts and numbers in buckets too."""
        return tuple(feature for feature in self.features if feature.reads_table)

    @property
    def numeric(self) -> tuple[Feature, ...]:
        """The features that are numbers, in the order of the columns of `numbers`."""
        return tuple(feature for feature in self.features if not feature.reads_table)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that training reads, each once."""
        read = [name for feature in self.features for name in feature.columns]
        told = [self.label, self.weight, self.timestamp, self.user, self.item, self.title]
        return tuple(dict.fromkeys([*read, *filter(None, told)]))

    @property
    def places(self) -> int:
        """How many keys an example has."""
        return sum(feature.length for feature in self.categorical)

    def span(self, name: str) -> slice:
        """The places of a feature in a batch."""
        start = 0
        for feature in self.categorical:
            if feature.name == name:
                return slice(start, start + feature.length)
            start += feature.length
        known = ", ".join(feature.name for feature in self.categorical)
        raise ValueError(f"No feature {name!r} reads a table: those that do are {known}.")

    def encode(
        self,
        columns: Mapping[str, Column],
        vocabularies: Mapping[str, Vocabulary] | None = None,
    ) -> Batch:
        """Rows of a log as a batch in NumPy; the same when training and when serving.

        A missing value is the feature's default. Without one it is a value of its own in a hashed
        feature, unknown in a vocabulary, left out of a bag, a sequence or a text, a bucket of its
        own, and 0 after the transform of a number. A bag or a text keeps its first values, a
        sequence its last. Without a column of labels, as when serving, labels are 0; weights
        likewise 1.

        Args:
            columns: By name; all of one length.
            vocabularies: By feature, for those with `values`. Without one, the column must hold
                ranks already: integers from 0 to `values` - 1.

        Raises:
            BadCellsError: a cell holds no number, list or date where one is wanted.
            ValueError: a transform has not been learned yet, or a column is missing.
        """
        rows = self._rows(columns)
        self._check_learned()
        keys = np.zeros((self.places, rows), np.uint64)  # a place is written in one piece
        valid = np.zeros((self.places, rows), bool)
        for feature in self.categorical:
            span = self.span(feature.name)
            padded = padded_keys(feature, columns, (vocabularies or {}).get(feature.name))
            keys[span], valid[span] = padded.keys.T, padded.valid.T
        measures = np.zeros((len(self.numeric), rows), np.float32)
        for place, feature in enumerate(self.numeric):
            values = measured(feature, columns)
            if feature.transform is not None:
                values = feature.transform(values)
            measures[place] = np.nan_to_num(values)
        high, low = split(keys)
        return Batch(
            high=np.ascontiguousarray(high.T),
            low=np.ascontiguousarray(low.T),
            valid=np.ascontiguousarray(valid.T),
            numbers=np.ascontiguousarray(measures.T),
            label=self.labels(columns),
            weight=self.weights(columns),
        )

    def labels(self, columns: Mapping[str, Column]) -> Float32[np.ndarray, "rows"]:
        """What is to be predicted: 0 where there is no such column."""
        if self.label is None or self.label not in columns:
            return np.zeros(self._rows(columns), np.float32)
        column = columns[self.label]
        if isinstance(self.positive, str):
            names = names_of(column, self.label)
            found = names.at_cells(names.fingerprints)
            refuse(found == MISSING, column, self.label, "a label in each row")
            return (found == fingerprint([self.positive])).astype(np.float32)
        values = complete(column, self.label, least=-np.inf)
        return values if self.positive is None else (values >= self.positive).astype(np.float32)

    def weights(self, columns: Mapping[str, Column]) -> Float32[np.ndarray, "rows"]:
        """How much each example counts: 1 where there is no such column."""
        if self.weight is None or self.weight not in columns:
            return np.ones(self._rows(columns), np.float32)
        return complete(columns[self.weight], self.weight, least=0.0)

    def timestamps(self, columns: Mapping[str, Column]) -> Float64[np.ndarray, "rows"]:
        """When each example happened, in seconds since 1970."""
        name = self._named("timestamp")
        found = seconds(columns[name], name, self.date_format)
        refuse(np.isnan(found), columns[name], name, "a date in each row")
        return found

    def keys(self, which: str, columns: Mapping[str, Column]) -> UInt64[np.ndarray, "rows"]:
        """Fingerprints of the `user` or the `item` of each example."""
        name = self._named(which)
        names = names_of(columns[name], name)
        return names.at_cells(names.fingerprints)

    def with_vocabularies(
        self,
        columns: Mapping[str, Column],
        names: Iterable[str] | None = None,
        *,
        min_count: int = 1,
        max_values: int | None = None,
    ) -> tuple["Schema", dict[str, Vocabulary]]:
        """This schema with `values` set and transforms learned, and the vocabularies of its values.

        A log that does not fit in memory is learned from in chunks (`recsys.features.learning`).

        Args:
            columns: What is learned from: the training split, no other.
            names: Features that get a vocabulary; None is all whose values have names.
            min_count: Rarer values are left out, and so unknown.
            max_values: At most so many of the most frequent values are kept.
        """
        from recsys.features.learning import Learning  # which knows schemas

        learning = Learning(self, names, min_count=min_count, max_values=max_values)
        learning.add(columns)
        return learning.finish()

    def require(self, columns: Iterable[str]) -> None:
        """Refuses a log that lacks a column which training reads."""
        there = list(columns)
        missing = [name for name in self.columns if name not in there]
        if missing:
            raise ValueError(
                f"The schema wants columns {missing}, got {sorted(there)}: add them, or drop what "
                "reads them from the schema."
            )

    def _named(self, which: str) -> str:
        """The name of the column that tells the user, the item or the timestamp."""
        name = {"user": self.user, "item": self.item, "timestamp": self.timestamp}[which]
        if name is None:
            raise ValueError(
                f"The schema wants a column that tells the {which}, got none: set {which} to its "
                "name."
            )
        return name

    def _check_learned(self) -> None:
        for feature in self.features:
            if feature.transform is not None and not feature.transform.is_learned:
                kind = type(feature.transform).__name__
                raise ValueError(
                    f"Feature({feature.name!r}) wants {kind} learned from the training split, got "
                    "one that has not seen it: encode with the schema that learning returned."
                )

    def _rows(self, columns: Mapping[str, Column]) -> int:
        """How many rows the columns have, all of which must be there and agree."""
        wanted = [name for feature in self.features for name in feature.columns]
        missing = [name for name in wanted if name not in columns]
        if missing:
            raise ValueError(
                f"The schema wants columns {missing}, got {sorted(columns)}: add them, or drop the "
                "features that read them."
            )
        read = [*wanted, *(name for name in (self.label, self.weight) if name and name in columns)]
        rows = {name: len(columns[name]) for name in read}
        if len(set(rows.values())) > 1:
            raise ValueError(f"Columns want one length, got {rows}: give each a cell in every row.")
        return rows[wanted[0]]
