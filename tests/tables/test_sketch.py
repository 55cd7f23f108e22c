"""The sketch alone: an example by hand, a slow sketch in Python, and who is found in a stream."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.tables.base import OUT, Field, Keys, Span
from recsys.tables.sketch import Bar, Names, Sketch, aged, fresh, importance, named, record

pytestmark = pytest.mark.slow

BAR = Bar(threshold=3.0, margin=0.25)
recorded = jax.jit(record, static_argnames="bar")


def batch(*reads: tuple[int, float]) -> tuple[Names, jax.Array]:
    """Reads of tags in bucket 0, and their weights."""
    tags, weights = zip(*reads, strict=True)
    names = Names(jnp.zeros(len(reads), jnp.int32), jnp.asarray(tags, jnp.uint32))
    return names, jnp.asarray(weights, jnp.float32)


def assert_holds(sketch: Sketch, hot: dict[int, float], candidates: dict[int, float]) -> None:
    for tags, scores, wanted in (
        (sketch.hot_tags, sketch.hot_scores, hot),
        (sketch.tags, sketch.scores, candidates),
    ):
        held = dict(zip(tags[0].tolist(), scores[0].tolist(), strict=True))
        held.pop(0, None)
        assert held == pytest.approx(wanted)


def test_a_life_worked_by_hand():
    """One bucket of one hot slot and two candidates: in, up, driven out, decayed."""
    a, b, c = 11, 12, 13
    sketch = fresh(buckets=1, ways=1, candidates=2)
    none = [OUT]
    story = [
        # of two new values the heavier in all comes in, though the other has the largest gradient
        ([(a, 1.0), (b, 1.2), (a, 0.5)], {}, {a: 1.5}, none),
        ([(a, 1.0), (b, 1.0)], {}, {a: 2.5, b: 1.0}, none),  # a hit, and a free slot
        ([(c, 0.5)], {}, {a: 2.5, c: 1.5}, none),  # the weakest goes, and leaves its score
        ([(a, 0.0), (b, 0.0)], {}, {a: 2.5, c: 1.5}, none),  # no gradient, no trace
        ([(b, 0.0), (a, 0.5)], {a: 3.0}, {c: 1.5}, [0]),  # at the threshold
        ([(c, 2.0)], {a: 3.0}, {c: 3.5}, none),  # not by the margin
        ([(a, 0.2), (c, 1.0)], {c: 4.5}, {a: 3.2}, [0]),  # a fourth more than the hot value
        ([(c, 0.5), (b, 9.0)], {c: 5.0}, {a: 3.2, b: 9.0}, none),  # nobody is hot when first met
    ]
    for reads, hot, candidates, promoted in story:
        sketch, promotions = recorded(sketch, *batch(*reads), bar=BAR)
        assert_holds(sketch, hot, candidates)
        assert promotions.slot.tolist() == promoted
    sketch = aged(sketch, decay=0.5, floor=2.4)
    assert_holds(sketch, {13: 2.5}, {12: 4.5, 11: 1.6})
    sketch = aged(sketch, decay=0.5, floor=2.4)  # falls, and is better than the weakest candidate
    assert_holds(sketch, {}, {12: 2.25, 13: 1.25})


def test_a_promotion_names_a_place_that_read_the_value():
    sketch = fresh(buckets=1, ways=2, candidates=2)
    sketch, _ = recorded(sketch, *batch((5, 2.0)), bar=BAR)
    sketch, promotions = recorded(sketch, *batch((6, 9.0), (5, 0.5), (7, 1.0), (5, 0.5)), bar=BAR)
    assert promotions.place.tolist() == [1]
    assert promotions.slot.tolist() == [0]


class SlowSketch:
    """The same rules over dictionaries."""

    def __init__(self, buckets: int, ways: int, candidates: int):
        self.ways, self.candidates = ways, candidates
        self.hot = [dict[int, float]() for _ in range(buckets)]
        self.cold = [dict[int, float]() for _ in range(buckets)]

    def record(self, reads: list[tuple[int, int, float]], bar: Bar) -> None:
        total: dict[tuple[int, int], float] = {}
        for bucket, tag, weight in reads:
            total[bucket, tag] = total.get((bucket, tag), 0.0) + weight
        for bucket, (hot, cold) in enumerate(zip(self.hot, self.cold, strict=True)):
            own = {tag: weight for (b, tag), weight in total.items() if b == bucket and weight > 0}
            ready, new = {}, {}
            for tag, weight in own.items():
                if tag in hot:
                    hot[tag] += weight
                elif tag in cold:
                    cold[tag] += weight
                    ready[tag] = cold[tag]
                else:
                    new[tag] = weight
            self._promote(hot, cold, ready, bar)
            self._insert(cold, new)

    def _promote(self, hot, cold, ready, bar: Bar) -> None:
        best = max(ready, key=ready.__getitem__, default=None)
        if best is None or ready[best] < bar.threshold:
            return
        if len(hot) < self.ways:
            hot[best] = cold.pop(best)
            return
        weakest = min(hot, key=hot.__getitem__)
        if cold[best] > (1 + bar.margin) * hot[weakest]:
            cold[weakest] = hot.pop(weakest)
            hot[best] = cold.pop(best)

    def _insert(self, cold, new) -> None:
        heaviest = max(new, key=new.__getitem__, default=None)
        if heaviest is None:
            return
        before = 0.0
        if len(cold) == self.candidates:
            before = cold.pop(min(cold, key=cold.__getitem__))
        cold[heaviest] = before + new[heaviest]

    def aged(self, decay: float, floor: float) -> None:
        for hot, cold in zip(self.hot, self.cold, strict=True):
            for scores in (hot, cold):
                scores.update({tag: decay * score for tag, score in scores.items()})
            cold.update({tag: hot.pop(tag) for tag in list(hot) if hot[tag] < floor})
            for tag in sorted(cold, key=cold.__getitem__)[: max(0, len(cold) - self.candidates)]:
                del cold[tag]


def test_it_is_the_slow_sketch():
    buckets, ways, candidates = 6, 2, 3
    slow, sketch = SlowSketch(buckets, ways, candidates), fresh(buckets, ways, candidates)
    rng = np.random.default_rng(0)
    promoted = 0
    for step in range(60):
        tag = (rng.zipf(1.3, 64) % 90 + 1).astype(np.uint32)
        bucket = (tag % buckets).astype(np.int32)
        weight = rng.exponential(size=64).astype(np.float32) * (rng.random(64) < 0.9)
        slow.record(list(zip(bucket.tolist(), tag.tolist(), weight.tolist(), strict=True)), BAR)
        names = Names(jnp.asarray(bucket), jnp.asarray(tag))
        sketch, promotions = recorded(sketch, names, jnp.asarray(weight), bar=BAR)
        promoted += int((promotions.slot != OUT).sum())
        if step % 7 == 6:
            slow.aged(0.8, 2.4)
            sketch = aged(sketch, decay=0.8, floor=2.4)
        for row in range(buckets):
            one = Sketch(*(array[row : row + 1] for array in sketch))
            assert_holds(one, slow.hot[row], slow.cold[row])
    assert promoted > 20, "the stream was to have the sketch change its mind"


def test_a_value_has_another_name_in_each_field_and_none_is_empty():
    fields = (Field("one", None, 1), Field("two", None, 2))
    low = jnp.arange(4000, dtype=jnp.uint32).reshape(2000, 2) // 2  # the same value in both
    valid = jnp.ones(low.shape, bool)
    key = Keys(jnp.zeros_like(low), low, valid, (Span(0, 0, 1), Span(1, 1, 2)))
    names = named(key, fields, 64)
    tag, bucket = (array.reshape(2000, 2) for array in (names.tag, names.bucket))
    assert (tag != 0).all()
    assert len(np.unique(tag)) == 4000
    counts = np.bincount(np.asarray(bucket).reshape(-1), minlength=64)
    assert len(counts) == 64
    assert counts.min() > 20
    assert (bucket[:, 0] != bucket[:, 1]).mean() > 0.9


def test_importance_is_relative_to_the_batch_and_padding_has_none():
    grad = jnp.asarray([[[3.0, 4.0], [0.0, 0.0]], [[0.0, 5.0], [6.0, 8.0]]])
    valid = jnp.asarray([[True, False], [True, True]])
    poisoned = grad.at[0, 1].set(jnp.nan)
    np.testing.assert_allclose(importance(poisoned, valid), [0.75, 0.0, 0.75, 1.5])
    np.testing.assert_allclose(importance(1e-6 * grad, valid), [0.75, 0.0, 0.75, 1.5], rtol=1e-6)
    np.testing.assert_array_equal(importance(grad, jnp.zeros_like(valid)), np.zeros(4))


class Stream(NamedTuple):
    """What a sketch was shown, and what it should have kept."""

    sketch: Sketch
    mass: np.ndarray  # of each value, decayed like the scores
    names: Names  # of each value
    promotions: list[int]  # of each step
    leaders: list[np.ndarray]  # the 32 heaviest values of each half


@functools.cache
def drifting_stream(steps: int = 300, values: int = 20_000, places: int = 1024) -> Stream:
    """Zipf-distributed values of unequal strength, which change ranks half way."""
    buckets, ways, candidates, threshold = 32, 8, 24, 8.0
    key = jnp.arange(values, dtype=jnp.uint32)[None]
    every = Keys(jnp.zeros_like(key), key, jnp.ones(key.shape, bool), (Span(0, 0, values),))
    names = named(every, (Field("value", None, 3),), buckets)
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, values + 1) ** 1.1
    strength = rng.uniform(0.3, 3.0, values)
    order, leaders, promotions = rng.permutation(values), [], []
    sketch, mass = fresh(buckets, ways, candidates), np.zeros(values)
    bar = Bar(threshold, 0.25)
    for step in range(steps):
        if step == steps // 2:
            order = rng.permutation(values)
        read = order[rng.choice(values, places, p=share / share.sum())]
        weight = (strength[read] * rng.exponential(size=places)).astype(np.float32)
        weight /= weight.mean()
        seen = Names(names.bucket[read], names.tag[read])
        sketch, promoted = recorded(sketch, seen, jnp.asarray(weight), bar=bar)
        promotions.append(int((promoted.slot != OUT).sum()))
        mass += np.bincount(read, weight, values)
        if step % 10 == 9:
            sketch, mass = aged(sketch, decay=0.7, floor=threshold / 1.25), 0.7 * mass
        if step in (steps // 2 - 1, steps - 1):
            leaders.append(np.argsort(-mass)[:32])
    return Stream(sketch, mass, names, promotions, leaders)


def is_hot(stream: Stream) -> np.ndarray:
    tags = np.asarray(stream.sketch.hot_tags)[np.asarray(stream.names.bucket)]
    return (tags == np.asarray(stream.names.tag)[:, None]).any(axis=1)


def test_it_finds_nearly_all_the_gradient_that_its_buckets_can_hold():
    stream = drifting_stream()
    bucket, ideal = np.asarray(stream.names.bucket), np.zeros(len(stream.mass), bool)
    for row in range(32):
        own = np.flatnonzero(bucket == row)
        ideal[own[np.argsort(-stream.mass[own])[:8]]] = True
    hot = is_hot(stream)
    assert stream.mass[hot].sum() > 0.97 * stream.mass[ideal].sum()
    heaviest = np.argsort(-stream.mass)[:256]  # as many as there are hot slots
    assert hot[heaviest].mean() > 0.95 * ideal[heaviest].mean() > 0.7


def test_hot_values_change_with_the_stream():
    stream = drifting_stream()
    before, after = stream.leaders
    hot = is_hot(stream)
    assert hot[after].all()
    gone = np.setdiff1d(before, np.argsort(-stream.mass)[:512])
    assert len(gone) > 20
    assert not hot[gone].any()


def test_values_become_hot_where_the_stream_begins_and_where_it_changes():
    promotions = np.asarray(drifting_stream().promotions)
    calm = promotions[100:150].mean()
    assert promotions[:30].mean() > 2 * calm
    assert promotions[150:170].mean() > 1.5 * calm
