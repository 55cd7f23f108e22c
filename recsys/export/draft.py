"""What a release is made of: a task puts it together, `writing.py` makes a directory of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt64

from recsys.features.batch import Batch
from recsys.features.feature import Feature
from recsys.features.hashing import fingerprint
from recsys.features.links import Links
from recsys.features.schema import Schema
from recsys.features.vocabulary import Vocabulary
from recsys.release import Items, Known
from recsys.release.documents import Told
from recsys.training.step import State


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """What a release for retrieval has beside its query side."""

    schema: Schema  # of an item
    items: Items
    rows: Batch  # of the schema, in the order of the items
    known: Known
    histories: tuple[str, ...]  # features of the query that hold items


@dataclasses.dataclass(frozen=True)
class Draft:
    """A release to be."""

    task: str
    model: Any  # the spec that is served
    state: State  # of that model, as served: averaged where training kept averages
    schema: Schema  # of a query row
    vocabularies: Mapping[str, Vocabulary]  # by feature, of both sides
    requests: Sequence[Mapping[str, Any]]  # golden ones, as recsys/release/golden.py has them
    catalogue: Catalogue | None = None
    user_column: str = "user"
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    split: str | None = None  # that the metrics were measured on
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # what it was trained on
    skills: tuple[str, ...] | None = None  # names of the dimensions of an explicit space
    documents: Told | None = None  # what it reads of a document beside the schema
    links: Links | None = None  # that texts are linked by

    @property
    def features(self) -> tuple[Feature, ...]:
        """Of both sides."""
        return (*self.schema.features, *(self.catalogue.schema.features if self.catalogue else ()))

    @property
    def no_row(self) -> list[str]:
        """Features whose model has no row for values that their vocabulary does not know."""
        sizes = {name: vocabulary.size for name, vocabulary in self.vocabularies.items()}
        named = [f for f in self.features if f.name in sizes and f.values is not None]
        return sorted({f.name for f in named if sizes[f.name] > (f.values or 0)})


def named(
    features: Sequence[Feature],
    vocabularies: Mapping[str, Vocabulary],
    spaces: Mapping[str, UInt64[np.ndarray, "values"]] | None = None,
) -> dict[str, Vocabulary]:
    """A vocabulary for every feature that has ranks.

    Args:
        features: of both sides.
        vocabularies: by feature, where there is one.
        spaces: fingerprints in the order of their ranks, by key space; values of others that have
            no vocabulary are called by their ranks.
    """
    found = dict(vocabularies)
    made = {
        space: Vocabulary.in_order(fingerprints) for space, fingerprints in (spaces or {}).items()
    }
    for feature in features:
        if not feature.has_names or feature.values is None or feature.name in found:
            continue
        if feature.key_space not in made:
            made[feature.key_space] = Vocabulary.in_order(fingerprint(np.arange(feature.values)))
        found[feature.name] = made[feature.key_space]
    return {f.name: found[f.name] for f in features if f.name in found}
