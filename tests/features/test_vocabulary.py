"""Vocabulary: frequency ranks against a plain count, and the rank that unknown values share."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.features import MISSING, Vocabulary, fingerprint

VALUES = st.lists(st.integers(0, 12), max_size=60)


def array(values: list) -> np.ndarray:
    return np.array(values, np.uint64)


@given(VALUES, st.integers(1, 4), st.none() | st.integers(0, 6))
def test_fit_orders_values_by_count_then_fingerprint(values, min_count, max_values):
    vocabulary = Vocabulary.fit(array(values), min_count, max_values)
    counted = Counter(value for value in values if value != MISSING)
    kept = [(value, count) for value, count in counted.items() if count >= min_count]
    kept = sorted(kept, key=lambda pair: (-pair[1], pair[0]))[:max_values]
    assert vocabulary.fingerprints.tolist() == [value for value, _ in kept]
    assert vocabulary.counts.tolist() == [count for _, count in kept]


@given(VALUES, VALUES)
def test_a_rank_is_the_place_in_the_order_and_the_last_for_what_is_unknown(seen, asked):
    vocabulary = Vocabulary.fit(array(seen))
    places = {int(value): rank for rank, value in enumerate(vocabulary.fingerprints)}
    ranks = vocabulary.ranks(array(asked))
    assert ranks.dtype == np.uint32
    assert ranks.tolist() == [places.get(value, len(vocabulary)) for value in asked]


def test_the_order_of_the_log_does_not_matter():
    values = fingerprint(["a", "b", "b", "c", "a", "d"])
    first, second = Vocabulary.fit(values), Vocabulary.fit(values[::-1])
    assert np.array_equal(first.fingerprints, second.fingerprints)


def test_missing_values_are_unknown():
    vocabulary = Vocabulary.fit(fingerprint(["a", None, None]))
    assert vocabulary.ranks(fingerprint(["a", None, "b"])).tolist() == [0, 1, 1]


def test_an_empty_vocabulary_calls_everything_unknown():
    vocabulary = Vocabulary.fit(array([]))
    assert vocabulary.ranks(array([3, 4])).tolist() == [0, 0]
    assert (vocabulary.size, vocabulary.bytes) == (1, 0)


def test_ranks_keep_the_shape_of_what_is_asked():
    vocabulary = Vocabulary.fit(array([5, 5, 7]))
    assert vocabulary.ranks(array([[5, 7], [9, 5]])).tolist() == [[0, 1], [2, 0]]


def test_size_counts_the_unknown_rank_and_bytes_the_known_values():
    vocabulary = Vocabulary.fit(array([5, 5, 7]))
    assert (len(vocabulary), vocabulary.size, vocabulary.bytes) == (2, 3, 16)


@given(VALUES)
def test_saved_arrays_come_back(values):
    vocabulary = Vocabulary.fit(array(values))
    again = Vocabulary.from_arrays(vocabulary.to_arrays())
    assert np.array_equal(again.ranks(array(values)), vocabulary.ranks(array(values)))
    assert np.array_equal(again.counts, vocabulary.counts)


@pytest.mark.parametrize(
    ("fingerprints", "counts", "message"),
    [
        (np.array([1, 2]), np.array([2, 1]), "got int64"),
        (array([1, 2]), np.array([1]), r"uint64 \(2,\) and int64 \(1,\)"),
        (array([1, 2]), np.array([1, 2]), "counts that increase"),
        (array([2, 2]), np.array([1, 1]), "repeated"),
        (array([0, 2]), np.array([1, 1]), "missing"),
    ],
)
def test_arrays_that_are_no_vocabulary_are_refused(fingerprints, counts, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_arrays({"fingerprints": fingerprints, "counts": counts})
