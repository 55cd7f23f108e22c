"""Streaming counts against the truth: rare items, items several times in a batch, drift."""

import numpy as np
import pytest

from recsys.retrieval.streaming_counts import StreamingCounts

ITEMS = np.arange(6, dtype=np.uint64)
CHANCE = np.array([0.5, 0.3, 0.1, 0.06, 0.03, 0.01])


def _stream(counts: StreamingCounts, chance: np.ndarray, batches: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(batches):
        counts.add(rng.choice(ITEMS, 20, p=chance))


def test_items_that_come_often_in_a_batch_and_rare_ones_are_both_right():
    counts = StreamingCounts(slots=64, decay=0.9995)
    _stream(counts, CHANCE, 6000)
    np.testing.assert_allclose(np.exp(counts.log_count(ITEMS)), 20 * CHANCE, rtol=0.15)


def test_few_batches_are_not_taken_for_many():
    counts = StreamingCounts(slots=64)
    for _ in range(3):
        counts.add(np.array([2, 2, 2, 5], np.uint64))
    np.testing.assert_allclose(np.exp(counts.log_count(ITEMS[[2, 5]])), [3, 1], rtol=1e-6)


def test_an_average_follows_a_stream_that_changes():
    counts = StreamingCounts(slots=64, decay=0.99)
    _stream(counts, CHANCE, 1000)
    _stream(counts, CHANCE[::-1], 1500)
    found = np.exp(counts.log_count(ITEMS[[0, 5]]))
    np.testing.assert_allclose(found, [0.2, 10], rtol=0.7)


def test_what_never_came_has_a_finite_count():
    counts = StreamingCounts(slots=64, decay=0.99)
    counts.add(ITEMS[:2])
    assert np.exp(counts.log_count(ITEMS[5:])) == pytest.approx(0.01)


def test_items_that_share_a_slot_share_their_count():
    counts = StreamingCounts(slots=5)
    counts.add(np.array([0, 5, 1], np.uint64))
    np.testing.assert_allclose(np.exp(counts.log_count(ITEMS[[0, 5, 1]])), [2, 2, 1], rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"slots": 0}, {"decay": 1.0}, {"decay": -0.1}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"slots of at least 1 and a decay in \[0, 1\)"):
        StreamingCounts(**wrong)
