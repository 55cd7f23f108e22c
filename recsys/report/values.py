"""Which values each feature has, and how often training saw them."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Int64, UInt64

from recsys.data.examples import Examples
from recsys.features.batch import Batch
from recsys.features.hashing import Words, join
from recsys.features.schema import Feature, Schema
from recsys.features.vocabulary import Vocabulary

PIECE = 2**16  # examples read at a time
MOST_EXAMPLES = 2**23  # that are read to find the values of hashed features


@dataclasses.dataclass(frozen=True, eq=False)
class Values:
    """The values of one feature."""

    keys: UInt64[np.ndarray, "values"]  # ranks, or fingerprints; sorted
    counts: Int64[np.ndarray, "values"]  # how often training saw each

    def __len__(self) -> int:
        """How many."""
        return len(self.keys)

    def count(self, keys: UInt64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """How often training saw each of some values; 0 for those it never saw."""
        if not len(self):
            return np.zeros(keys.shape, np.int64)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        return np.where(self.keys[place] == keys, self.counts[place], 0)


def values_of(
    schema: Schema, vocabularies: Mapping[str, Vocabulary], train: Examples
) -> dict[str, Values]:
    """The values of every feature that reads a table.

    A vocabulary knows its own, the unknown value included, with a count of 0; those of other
    features are found by reading the training split, or its first `MOST_EXAMPLES`.
    """
    found = {name: _known(vocabulary) for name, vocabulary in vocabularies.items()}
    others = [feature for feature in schema.categorical if feature.name not in found]
    seen = {
        feature.name: Values(np.zeros(0, np.uint64), np.zeros(0, np.int64)) for feature in others
    }
    for batch in pieces(train, most=MOST_EXAMPLES) if others else ():
        for feature in others:
            seen[feature.name] = _merged(seen[feature.name], keys_of(batch, schema, feature))
    return found | seen


def keys_of(batch: Batch, schema: Schema, feature: Feature) -> UInt64[np.ndarray, "present"]:
    """Every key of a feature in a batch, padding left out."""
    span = schema.span(feature.name)
    high, low = np.asarray(batch.high[:, span]), np.asarray(batch.low[:, span])
    return join(Words(high, low))[np.asarray(batch.valid[:, span])]


def pieces(examples: Examples, *, most: int | None = None) -> Iterator[Batch]:
    """The examples in their order, some at a time."""
    count = min(len(examples), most or len(examples))
    for start in range(0, count, PIECE):
        yield examples.take(slice(start, min(start + PIECE, count)))


def _known(vocabulary: Vocabulary) -> Values:
    counts = np.append(vocabulary.counts, 0)
    return Values(np.arange(vocabulary.size, dtype=np.uint64), counts)


def _merged(values: Values, keys: UInt64[np.ndarray, "present"]) -> Values:
    fresh, counts = np.unique(keys, return_counts=True)
    merged, place = np.unique(np.concatenate([values.keys, fresh]), return_inverse=True)
    total = np.zeros(len(merged), np.int64)
    np.add.at(total, place, np.concatenate([values.counts, counts]))
    return Values(merged, total)
