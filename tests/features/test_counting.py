"""Counts of a stream: the vocabulary of the whole, at 12 bytes a value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.features import MISSING, Vocabulary, counting
from recsys.features.counting import Counts

CHUNKS = st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=12)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Values settle and move often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_BLOCK", 4)
        patch.setattr(counting, "_WAITING", 3)
        yield


def keys(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # 0 stays MISSING


def assert_same(found: Vocabulary, wanted: Vocabulary) -> None:
    for name, array in wanted.to_arrays().items():
        np.testing.assert_array_equal(found.to_arrays()[name], array)


@pytest.mark.slow
@given(CHUNKS, st.integers(1, 4), st.none() | st.integers(1, 20), st.booleans())
def test_it_agrees_with_a_vocabulary_of_the_whole(chunks, min_count, max_values, counted):
    counts = Counts()
    for chunk in chunks:
        if counted:
            values, times = np.unique(keys(chunk), return_counts=True)
            counts.add(values[::-1], times[::-1])
        else:
            counts.add(keys(chunk))
    everything = keys([value for chunk in chunks for value in chunk])
    assert counts.cells == len(everything)
    assert len(counts) == len(set(everything.tolist()) - {int(MISSING)})
    limits = {"min_count": min_count, "max_values": max_values}
    assert_same(counts.vocabulary(**limits), Vocabulary.fit(everything, **limits))


def test_more_cells_than_32_bits_count_are_counted():
    counts = Counts()
    counts.add(keys([1, 2, 3]), np.array([2**31, 1, 2**31]))
    counts.add(keys([1, 2]), np.array([2**31, 1]))
    found = counts.vocabulary()
    np.testing.assert_array_equal(found.fingerprints, keys([1, 3, 2]))
    assert found.counts.tolist() == [2**32, 2**31, 2]


def test_values_that_came_no_time_are_none():
    counts = Counts()
    counts.add(keys([1, 2]), np.array([0, 3]))
    assert (len(counts), counts.cells) == (1, 3)


def test_a_value_takes_twelve_bytes():
    counts = Counts()
    for start in range(1, 2_001, 100):
        counts.add(keys(list(range(start, start + 100))))
    found = counts.vocabulary()
    assert found.sorted.nbytes + found.order.nbytes == 12 * len(found) == 24_000
    assert found.levels.tolist() == [1]
