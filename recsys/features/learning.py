"""What a schema learns from the training split, chunk by chunk in bounded memory.

Vocabularies cost 12 bytes a value (`counting.py`), means and edges next to nothing
(`summaries.py`). The result does not depend on where the chunks are cut.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from recsys.features.columns import Column
from recsys.features.counting import Counts
from recsys.features.encoding import Names, measured, named
from recsys.features.feature import Feature
from recsys.features.schema import Schema
from recsys.features.summaries import Summary
from recsys.features.transforms import Learned
from recsys.features.vocabulary import Vocabulary


class Learning:
    """Vocabularies, means and edges in the making."""

    def __init__(
        self,
        schema: Schema,
        vocabulary: Iterable[str] | None = None,
        *,
        min_count: int = 1,
        max_values: int | None = None,
        seed: int = 0,
    ) -> None:
        """Nothing seen.

        Args:
            schema: Whose transforms may not be learned yet.
            vocabulary: Features that get one; None is all whose values have names.
            min_count: Rarer values are left out, and so unknown.
            max_values: At most so many of the most frequent values are kept.
            seed: Of the sample that quantiles are taken from.
        """
        self.schema = schema
        self.rows = 0
        self._chosen = _chosen(schema, vocabulary)
        self._limits = {"min_count": min_count, "max_values": max_values}
        self._counts = {feature.key_space: Counts() for feature in self._chosen}
        self._transforms: dict[str, Learned] = {
            feature.name: feature.transform
            for feature in schema.features
            if isinstance(feature.transform, Learned) and not feature.transform.is_learned
        }
        self._summaries = {name: Summary() for name in self._transforms}
        self._draws = np.random.Philox(key=seed)
        self._labels = (np.inf, -np.inf)

    def add(self, columns: Mapping[str, Column]) -> None:
        """Takes note of rows of the training split: of all, or where a cell is bad of none.

        Raises:
            BadCellsError: what `encode` would refuse too.
        """
        labels = self.schema.labels(columns)
        self.schema.weights(columns)  # refuses bad ones
        numeric = (feature for feature in self.schema.features if feature.kind == "numeric")
        numbers = {feature.name: measured(feature, columns) for feature in numeric}
        names = [(feature.key_space, named(feature, columns).names) for feature in self._chosen]
        draws = self._draws.random_raw(len(labels))
        for name, transform in self._transforms.items():
            there = ~np.isnan(numbers[name])
            self._summaries[name].add(transform.before(numbers[name][there]), draws[there])
        for space, found in names:
            _count(self._counts[space], found)
        self.rows += len(labels)
        if len(labels) and self.schema.label in columns:
            least, most = self._labels
            self._labels = min(least, float(labels.min())), max(most, float(labels.max()))

    def finish(self) -> tuple[Schema, dict[str, Vocabulary]]:
        """The schema with what was learned, and the vocabularies by feature; to be called once.

        Raises:
            ValueError: nothing can be learned from what was seen: no rows, one class, one value.
        """
        if not self.rows:
            raise ValueError("Learning wants rows of the training split, got none: add some.")
        if self._labels[0] == self._labels[1]:
            raise ValueError(
                f"Column {self.schema.label!r} wants two classes or more to learn from, got "
                f"{self._labels[0]:g} in all {self.rows:,} rows: choose another label, or a "
                "training split that holds both."
            )
        spaces = {
            space: (counts.cells, counts.vocabulary(**self._limits))
            for space, counts in self._counts.items()
        }
        for feature in self._chosen:
            self._check_values(feature, *spaces[feature.key_space])
        vocabularies = {feature.name: spaces[feature.key_space][1] for feature in self._chosen}
        features = tuple(
            _known(feature, vocabularies[feature.name])
            if feature.name in vocabularies
            else self._transformed(feature)
            for feature in self.schema.features
        )
        return dataclasses.replace(self.schema, features=features), vocabularies

    def _check_values(self, feature: Feature, cells: int, vocabulary: Vocabulary) -> None:
        if not len(vocabulary):
            raise ValueError(
                f"Feature({feature.name!r}) wants a vocabulary of its values, got none that came "
                f"{self._limits['min_count']} times or more in {self.rows:,} rows: lower "
                "min_count, or drop the feature."
            )
        if feature.kind == "categorical" and vocabulary.levels[0] == cells:
            raise ValueError(
                f"Feature({feature.name!r}) wants two values or more for a vocabulary, got one in "
                f"all {self.rows:,} rows, which says nothing: drop the feature."
            )

    def _transformed(self, feature: Feature) -> Feature:
        transform = self._transforms.get(feature.name)
        if transform is None:
            return feature
        summary = self._summaries[feature.name]
        if not summary.count:
            raise ValueError(
                f"Feature({feature.name!r}) wants numbers to learn {type(transform).__name__} "
                f"from, got none in {self.rows:,} rows: drop the feature."
            )
        return dataclasses.replace(feature, transform=transform.learned(summary))


def _chosen(schema: Schema, names: Iterable[str] | None) -> list[Feature]:
    """The features that get a vocabulary, in the order of the schema."""
    able = {feature.name: feature for feature in schema.features if feature.has_names}
    wanted = list(able if names is None else names)
    unknown = [name for name in wanted if name not in able]
    if unknown:
        raise ValueError(
            f"No feature {unknown[0]!r} has values to learn a vocabulary of: those that do are "
            f"{', '.join(able)}."
        )
    return [feature for name, feature in able.items() if name in wanted]


def _known(feature: Feature, vocabulary: Vocabulary) -> Feature:
    """The feature with the size of its vocabulary, and how often how many values were seen."""
    counts = zip(vocabulary.levels.tolist(), vocabulary.sizes.tolist(), strict=True)
    return dataclasses.replace(feature, values=vocabulary.size, counts=tuple(counts))


def _count(counts: Counts, names: Names) -> None:
    if names.cells is None:
        counts.add(names.fingerprints)
    else:
        times = np.bincount(names.cells, minlength=len(names.fingerprints))
        counts.add(names.fingerprints, times)
