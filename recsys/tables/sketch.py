"""A sketch of fixed size that finds the values with the most gradient, on device, inside the step.

A value is known by its bucket and a 32-bit tag. Each bucket has a few hot slots, whose holders own
a row each, and more slots for candidates. Every batch adds to the scores of the values it read; a
value that has no slot takes that of the weakest candidate together with its score (SpaceSaving,
Metwally et al., ICDT 2005), which is how CAFE's HotSketch meets values without a vocabulary
(Zhang et al., SIGMOD 2024, section 3.2). A step costs what its batch costs, whatever the size of
the sketch; only `aged` and `contested` walk through all of it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.features.hashing import bucket, philox, salt
from recsys.tables.base import OUT, Field, Keys, settled

EMPTY = 0  # the tag of a free slot; no value has it
SPREAD = 4  # scratch entries a place: two values of a batch share one rarely
RARE = 8  # one place in so many may be of a value that becomes hot


class SketchArray(nnx.Variable):
    """An array of a sketch: a copy on every device, changed by what tables observe."""


class Sketch(NamedTuple):
    """Who is in which slot, and the score of each; a score of a free slot is zero."""

    hot_tags: UInt32[Array, "buckets ways"]
    hot_scores: Float[Array, "buckets ways"]
    tags: UInt32[Array, "buckets candidates"]
    scores: Float[Array, "buckets candidates"]


class Names(NamedTuple):
    """What a sketch knows a value by; all the places of a batch, one after another."""

    bucket: Int32[Array, " places"]
    tag: UInt32[Array, " places"]


class Bar(NamedTuple):
    """What a candidate must reach to become hot."""

    threshold: float | Float[Array, ""]  # its score
    margin: float  # by what share it must exceed the hot value whose slot it takes


class Promotions(NamedTuple):
    """The candidates that became hot in a step, at most one a bucket."""

    place: Int32[Array, " most"]  # one that read the value; OUT: none
    slot: Int32[Array, " most"]  # its hot slot, counted over all buckets; OUT: none


class Holder(NamedTuple):
    """One slot of each of some buckets, and what it holds."""

    slot: Int32[Array, " most"]
    tag: UInt32[Array, " most"]
    score: Float[Array, " most"]


def fresh(buckets: int, ways: int, candidates: int) -> Sketch:
    """A sketch that has seen nothing."""
    return Sketch(
        hot_tags=jnp.full((buckets, ways), EMPTY, jnp.uint32),
        hot_scores=jnp.zeros((buckets, ways), jnp.float32),
        tags=jnp.full((buckets, candidates), EMPTY, jnp.uint32),
        scores=jnp.zeros((buckets, candidates), jnp.float32),
    )


def named(key: Keys, fields: tuple[Field, ...], buckets: int) -> Names:
    """The names of a batch's keys; the same value has another name in each field."""
    bucket_salts = key.of_place([salt("bucket", field.salt) for field in fields], "uint32")
    tag_salts = key.of_place([salt("tag", field.salt) for field in fields], "uint32")
    in_bucket = jnp.asarray(bucket(key.high, key.low, bucket_salts, buckets))
    tag = jnp.asarray(philox(key.high, key.low, tag_salts).low)
    tag = jnp.where(tag == EMPTY, jnp.uint32(1), tag)
    return Names(settled(in_bucket.reshape(-1)), settled(tag.reshape(-1)))


def importance(
    grad: Float[Array, "batch places dim"], valid: Bool[Array, "batch places"]
) -> Float[Array, " reads"]:
    """The norm of the gradient at each place relative to the mean of its batch; padding has none.

    Relative, so that scores do not fade as the loss does (Zhang et al., 2024, section 3.2).
    """
    norm = jnp.where(valid, jnp.sqrt(jnp.sum(grad * grad, axis=-1)), 0.0)
    count = jnp.sum(valid, axis=(0, 1), dtype=jnp.float32)
    total = jnp.sum(norm, axis=(0, 1))
    return (norm * (count / jnp.where(total > 0, total, 1.0))).reshape(-1)


def found(tags: UInt32[Array, "buckets slots"], names: Names) -> Int32[Array, " places"]:
    """The slot within its bucket that holds each value, or -1."""
    is_it = tags[names.bucket] == names.tag[:, None]
    slot = jnp.argmax(is_it, axis=1).astype(jnp.int32)
    return jnp.where(jnp.any(is_it, axis=1), slot, -1)


def record(
    sketch: Sketch, names: Names, weight: Float[Array, " places"], bar: Bar
) -> tuple[Sketch, Promotions]:
    """The sketch after a batch in which each place weighed so much; a weight of 0 leaves no trace.

    First the values that have slots add to their scores. Then, in each bucket, the best candidate
    that was read may change places with the weakest hot value. At last the heaviest value without
    a slot becomes a candidate; it cannot be hot before it is met again, since the score that it
    takes over is not its own. One of each a bucket and step, and no more than the batch is long:
    who comes second tries again when it is next read.
    """
    hot, candidate = found(sketch.hot_tags, names), found(sketch.tags, names)
    is_new = (hot < 0) & (candidate < 0) & (weight > 0)
    sketch = sketch._replace(
        hot_scores=_add(sketch.hot_scores, names.bucket, hot, weight),
        scores=_add(sketch.scores, names.bucket, candidate, weight),
    )
    sketch, promotions = _promote(sketch, names, jnp.where(weight > 0, candidate, -1), bar)
    return _insert(sketch, names, jnp.where(is_new, weight, 0.0)), promotions


def contested(sketch: Sketch) -> Float[Array, ""]:
    """The score that a value needs to be among the best of its bucket, as many as it has hot slots;
    mean over the buckets.
    """
    scores = jnp.concatenate([sketch.hot_scores, sketch.scores], axis=1)
    best, _ = jax.lax.top_k(scores, sketch.hot_tags.shape[1])
    return jnp.mean(best[:, -1], axis=0)


def aged(sketch: Sketch, *, decay: float, floor: float | Float[Array, ""]) -> Sketch:
    """All scores times `decay`; hot values that fall below `floor` become candidates again.

    A bucket keeps its best candidates; a hot slot whose holder fell is free.
    """
    hot_scores, scores = decay * sketch.hot_scores, decay * sketch.scores
    is_falling = hot_scores < floor
    none = jnp.full_like(sketch.hot_tags, EMPTY)
    tags = jnp.concatenate([sketch.tags, jnp.where(is_falling, sketch.hot_tags, none)], axis=1)
    scores = jnp.concatenate([scores, jnp.where(is_falling, hot_scores, 0.0)], axis=1)
    lowered, tags = jax.lax.sort((-scores, tags), dimension=1, num_keys=2)
    kept = sketch.tags.shape[1]
    return Sketch(
        hot_tags=jnp.where(is_falling, none, sketch.hot_tags),
        hot_scores=jnp.where(is_falling, 0.0, hot_scores),
        tags=tags[:, :kept],
        scores=-lowered[:, :kept],
    )


def _add(
    scores: Float[Array, "buckets slots"],
    bucket: Int32[Array, " places"],
    slot: Int32[Array, " places"],
    weight: Float[Array, " places"],
) -> Float[Array, "buckets slots"]:
    """The scores with each place's weight added to its slot, if it has one."""
    return scores.at[jnp.where(slot >= 0, bucket, OUT), slot].add(weight, mode="drop")


def _promote(
    sketch: Sketch, names: Names, candidate: Int32[Array, " places"], bar: Bar
) -> tuple[Sketch, Promotions]:
    """The best candidate of each bucket takes its weakest hot slot and leaves it its own."""
    buckets, ways = sketch.hot_tags.shape
    score = jnp.where(candidate >= 0, sketch.scores[names.bucket, candidate], 0.0)
    ready = jnp.where(score >= bar.threshold, score, 0.0)
    # Promotions are few once the hot slots are full: it pays to move few rows at every step.
    place = _best(ready, names.bucket, most=min(buckets, -(-len(ready) // RARE)))
    bucket, slot, score = (_at(array, place) for array in (names.bucket, candidate, ready))
    weakest = _weakest(sketch.hot_tags, sketch.hot_scores, bucket)
    wins = (place != OUT) & (score > (1 + bar.margin) * weakest.score)
    to = jnp.where(wins, bucket, OUT)
    after = Sketch(
        hot_tags=sketch.hot_tags.at[to, weakest.slot].set(_at(names.tag, place), mode="drop"),
        hot_scores=sketch.hot_scores.at[to, weakest.slot].set(score, mode="drop"),
        tags=sketch.tags.at[to, slot].set(weakest.tag, mode="drop"),
        scores=sketch.scores.at[to, slot].set(weakest.score, mode="drop"),
    )
    return after, Promotions(
        place=jnp.where(wins, place, OUT), slot=jnp.where(wins, bucket * ways + weakest.slot, OUT)
    )


def _insert(sketch: Sketch, names: Names, weight: Float[Array, " places"]) -> Sketch:
    """The heaviest new value of each bucket takes slot and score of its weakest candidate."""
    (places,) = weight.shape
    size = 1 << (SPREAD * places - 1).bit_length()
    entry = (names.tag & jnp.uint32(size - 1)).astype(jnp.int32)
    # A value read a hundred times outweighs one with a single large gradient.
    heavy = jnp.zeros(size, jnp.float32).at[entry].add(weight)[entry]
    heavy = jnp.where(weight > 0, heavy, 0.0)
    place = _best(heavy, names.bucket, most=min(len(sketch.tags), places))
    chosen = place[names.bucket % len(place)]
    is_chosen = (_at(names.bucket, chosen) == names.bucket) & (_at(names.tag, chosen) == names.tag)
    own = jnp.zeros_like(weight).at[chosen].add(jnp.where(is_chosen, weight, 0.0), mode="drop")
    bucket = jnp.where(place != OUT, _at(names.bucket, place), OUT)
    least = _weakest(sketch.tags, sketch.scores, bucket)
    score = least.score + _at(own, place)
    return sketch._replace(
        tags=sketch.tags.at[bucket, least.slot].set(_at(names.tag, place), mode="drop"),
        scores=sketch.scores.at[bucket, least.slot].set(score, mode="drop"),
    )


def _best(
    priority: Float[Array, " places"], bucket: Int32[Array, " places"], *, most: int
) -> Int32[Array, " most"]:
    """The place of highest priority of each bucket, the earliest among equals; OUT: all are 0.

    With fewer winners than buckets, several buckets have one winner between them.
    """
    (places,) = priority.shape
    cell = bucket % most
    best = jnp.zeros(most, jnp.float32).at[cell].max(priority)
    wins = (priority > 0) & (priority == best[cell])
    here = jnp.arange(places, dtype=jnp.int32)
    return jnp.full(most, OUT, jnp.int32).at[jnp.where(wins, cell, OUT)].min(here, mode="drop")


def _weakest(
    tags: UInt32[Array, "buckets slots"],
    scores: Float[Array, "buckets slots"],
    bucket: Int32[Array, " most"],
) -> Holder:
    """The slot of the lowest score in each bucket, a free one before all others."""
    here, score = _at(tags, bucket), _at(scores, bucket)
    slot = jnp.argmin(jnp.where(here == EMPTY, -1.0, score), axis=1).astype(jnp.int32)
    return Holder(
        slot,
        tag=jnp.take_along_axis(here, slot[:, None], axis=1)[:, 0],
        score=jnp.take_along_axis(score, slot[:, None], axis=1)[:, 0],
    )


def _at(array: Array, places: Int32[Array, " most"]) -> Array:
    """The entries at these places; zero where there is none."""
    return array.at[places].get(mode="fill", fill_value=0)
