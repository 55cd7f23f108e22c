"""Which columns of a log a model reads, and how rows of a log become a batch.

Features that read tables lie side by side in the batch: a categorical feature takes one place, a
bag or a sequence as many as its length. Numeric features are columns of `numbers`.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from recsys.features.batch import Batch
from recsys.features.columns import Column, complete, numbers
from recsys.features.encoding import fingerprints_of, padded_keys
from recsys.features.feature import Feature
from recsys.features.hashing import split
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
        """The features that read tables: bags and sequences too."""
        return tuple(feature for feature in self.features if feature.kind != "numeric")

    @property
    def numeric(self) -> tuple[Feature, ...]:
        """The features that are numbers, in the order of the columns of `numbers`."""
        return tuple(feature for feature in self.features if feature.kind == "numeric")

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
        """Rows of a log as a batch in NumPy.

        A missing value is a value of its own in a hashed feature, unknown in a vocabulary, left
        out of a bag or a sequence, 0 in a numeric feature. A bag keeps its first values, a sequence
        its last. Without a column of labels, as when serving, labels are 0; weights likewise 1.

        Args:
            columns: By name; all of one length.
            vocabularies: By feature, for those with `values`. Without one, the column must hold
                ranks already: integers from 0 to `values` - 1.
        """
        rows = self._rows(columns)
        keys = np.zeros((rows, self.places), np.uint64)
        valid = np.zeros((rows, self.places), bool)
        for feature in self.categorical:
            span = self.span(feature.name)
            padded = padded_keys(feature, columns, (vocabularies or {}).get(feature.name))
            keys[:, span], valid[:, span] = padded.keys, padded.valid
        measured = np.zeros((rows, len(self.numeric)), np.float32)
        for place, feature in enumerate(self.numeric):
            measured[:, place] = np.nan_to_num(numbers(columns[feature.name], feature.name))
        label, weight = np.zeros(rows, np.float32), np.ones(rows, np.float32)
        if self.label is not None and self.label in columns:
            label = complete(columns[self.label], self.label, least=-np.inf)
        if self.weight is not None and self.weight in columns:
            weight = complete(columns[self.weight], self.weight, least=0.0)
        high, low = split(keys)
        return Batch(high=high, low=low, valid=valid, numbers=measured, label=label, weight=weight)

    def with_vocabularies(
        self,
        columns: Mapping[str, Column],
        names: Iterable[str] | None = None,
        *,
        min_count: int = 1,
        max_values: int | None = None,
    ) -> tuple["Schema", dict[str, Vocabulary]]:
        """This schema with `values` set, and the vocabularies that say which value has which rank.

        Args:
            columns: What the vocabularies are learned from: the training split, no other.
            names: Features that get a vocabulary; None is all that read tables.
            min_count: Rarer values are left out, and so unknown.
            max_values: At most so many of the most frequent values are kept.
        """
        self._rows(columns)
        chosen = [feature.name for feature in self.categorical] if names is None else list(names)
        for name in chosen:
            self.span(name)  # refuses a name that reads no table
        seen: dict[str, list[np.ndarray]] = {}  # fingerprints by key space, all its features'
        for feature in self.categorical:
            if feature.name in chosen:
                found = fingerprints_of(feature, columns).values
                seen.setdefault(feature.key_space, []).append(found)
        spaces = {
            space: Vocabulary.fit(np.concatenate(found), min_count, max_values)
            for space, found in seen.items()
        }
        vocabularies = {
            feature.name: spaces[feature.key_space]
            for feature in self.categorical
            if feature.name in chosen
        }
        features = tuple(
            dataclasses.replace(feature, values=vocabularies[feature.name].size)
            if feature.name in vocabularies
            else feature
            for feature in self.features
        )
        return dataclasses.replace(self, features=features), vocabularies

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
