"""CAFE: who becomes hot and which row moves, who falls, and what is saved and served."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.features.hashing import fingerprint, split
from recsys.tables import CAFE
from recsys.tables.adaptive import AdaptiveTable
from recsys.tables.base import OUT, Context, Field, Keys, Span, payload_bytes
from recsys.tables.cafe import LEAST, CAFETable
from recsys.tables.hash import hashed
from tests.toy import as_numpy

pytestmark = pytest.mark.slow

SMALL = CAFE(rows=24, share=0.5, ways=4, candidates=4, threshold=3.0, every=10)
FIELDS = (Field("one", None, salt=1), Field("two", 50, salt=2))


def built(spec: CAFE = SMALL, dim: int = 4) -> CAFETable:
    return spec.build(dim, FIELDS, rngs=nnx.Rngs(0))


def keys_of(texts: list[str], ranks: list[int]) -> Keys:
    """A batch of one fingerprint of 64 bits and one rank an example; an empty text is padding."""
    words = split(fingerprint(texts))
    high = np.stack([words.high, np.zeros_like(words.high)], axis=1)
    low = np.stack([words.low, np.asarray(ranks, np.uint32)], axis=1)
    valid = np.stack([np.array([bool(text) for text in texts]), np.ones(len(texts), bool)], axis=1)
    spans = (Span(0, 0, 1), Span(1, 1, 2))
    return Keys(jnp.asarray(high), jnp.asarray(low), jnp.asarray(valid), spans)


def gradients(key: Keys, norms: list[list[float]]) -> dict[str, jax.Array]:
    return {"weight": jnp.zeros((*key.low.shape, 4)).at[..., 0].set(jnp.asarray(norms))}


def shared_rows(table: AdaptiveTable, key: Keys) -> np.ndarray:
    return np.asarray(hashed(key, table.fields, table.spec.shared))


@functools.partial(jax.jit, static_argnames="graph")
def _observed(graph, state, key, grads):
    table = nnx.merge(graph, state)
    moves = table.observe(key, grads, Context.still())["weight"]
    return nnx.state(table), moves


def observe(table: AdaptiveTable, key: Keys, norms: list[list[float]]) -> dict[int, int]:
    """Shows the table one batch; the rows that move, source by target."""
    graph, state = nnx.split(table)
    state, moves = _observed(graph, state, key, gradients(key, norms))
    nnx.update(table, state)
    pairs = zip(moves.target.tolist(), moves.source.tolist(), strict=True)
    return {target: source for target, source in pairs if target != OUT}


def test_a_value_met_again_and_again_gets_a_row_of_its_own():
    table, key = built(), keys_of(["popular", "rare"], [7, 8])
    before = table.address(key)["weight"]
    np.testing.assert_array_equal(before, shared_rows(table, key))
    norms = [[5.0, 0.0], [0.0, 1.0]]  # scores of 3.33 and 0.67 a batch
    assert observe(table, key, norms) == {}  # met for the first time
    moves = observe(table, key, norms)
    own = np.asarray(table.address(key)["weight"])
    assert own[0, 0] >= table.spec.shared
    assert moves == {own[0, 0]: before[0, 0]}
    np.testing.assert_array_equal(own[[0, 1, 1], [1, 0, 1]], before[[0, 1, 1], [1, 0, 1]])
    other = keys_of(["else", "popular"], [0, 0])
    assert table.address(other)["weight"][1, 0] == own[0, 0]


def test_a_rank_is_hot_in_its_own_field_alone():
    table = built()
    key = keys_of(["a", "b"], [7, 8])
    for _ in range(2):
        observe(table, key, [[0.0, 9.0], [0.0, 0.0]])
    assert table.address(key)["weight"][0, 1] >= table.spec.shared
    swapped = dataclasses.replace(key, high=key.high[:, ::-1], low=key.low[:, ::-1])
    np.testing.assert_array_equal(table.address(swapped)["weight"], shared_rows(table, swapped))


def test_padding_and_skipped_steps_leave_the_sketch_as_it_was():
    table = built()
    key = keys_of(["", ""], [7, 8])
    observe(table, key, [[99.0, 1.0], [99.0, 1.0]])
    noted = as_numpy(table.sketch)
    assert (np.asarray(table.sketch.tags) != 0).sum() == len(np.unique(key.low[:, 1]))
    np.testing.assert_allclose(table.sketch.scores.sum(), 2.0)
    skipped = dataclasses.replace(key, valid=jnp.zeros_like(key.valid))
    assert observe(table, skipped, [[math.nan, math.nan], [math.inf, 1.0]]) == {}
    for (name, one), (_, other) in zip(noted, as_numpy(table.sketch), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_a_value_that_is_met_no_more_reads_its_shared_row_again():
    table, key = built(), keys_of(["popular", "rare"], [7, 8])
    shared = shared_rows(table, key)
    for _ in range(3):
        observe(table, key, [[5.0, 0.0], [0.0, 1.0]])
    assert table.address(key)["weight"][0, 0] != shared[0, 0]
    score, fades = float(table.sketch.hot_scores.max()), table.spec.decay
    # Slots are free, so the threshold falls as far as it can after the first time.
    floor = table.spec.medium * LEAST
    for _ in range(math.ceil(math.log(floor / score) / math.log(fades))):
        assert table.address(key)["weight"][0, 0] != shared[0, 0]
        assert table.maintain(Context.still()) == {}
    np.testing.assert_array_equal(table.address(key)["weight"], shared)
    assert not np.asarray(table.sketch.hot_tags).any()
    # Its score is not forgotten: one more meeting above the threshold, and it has a row again.
    assert len(observe(table, key, [[5.0, 0.0], [0.0, 1.0]])) == 1


def test_the_threshold_becomes_the_score_of_the_last_that_could_be_hot():
    """Two hot slots a bucket: second best are 9 (hot) and 6 (a candidate), and 0.9 * 15 / 2 = 6.75.

    Where slots are free nobody is to wait: the third bucket holds one value, and 4.5 is the mean.
    """
    spec = CAFE(rows=24, share=0.5, ways=2, candidates=2, decay=0.9)
    table = built(dataclasses.replace(spec, rows=10, share=0.4))
    assert table.spec.buckets == 2
    fill(table, hot=[[9, 12], [7, 3]], others=[[8, 0], [6, 1]])
    table.maintain(Context.still())
    np.testing.assert_allclose(table.bar.threshold, 6.75, rtol=1e-6)
    table = built(dataclasses.replace(spec, rows=15, share=0.4))
    fill(table, hot=[[9, 12], [7, 3], [5, 0]], others=[[8, 0], [6, 1], [0, 0]])
    table.maintain(Context.still())
    np.testing.assert_allclose(table.bar.threshold, 4.5, rtol=1e-6)
    fill(table, hot=[[0, 0]] * 3, others=[[0, 0]] * 3)
    table.maintain(Context.still())
    assert float(table.bar.threshold) == LEAST


def test_a_threshold_out_of_reach_comes_down_to_the_values_there_are():
    table, key = built(dataclasses.replace(SMALL, threshold=math.inf)), keys_of(["a", "b"], [7, 8])
    norms = [[5.0, 0.0], [0.0, 1.0]]
    assert [observe(table, key, norms) for _ in range(5)] == [{}] * 5
    table.maintain(Context.still())
    assert len(observe(table, key, norms)) == 1


def fill(table: CAFETable, *, hot: list[list[float]], others: list[list[float]]) -> None:
    """Gives the slots of the sketch these scores; a score of 0 is a free slot."""
    for name, scores in (("hot_", hot), ("", others)):
        held = np.asarray(scores, np.float32)
        tags = np.where(held > 0, 1 + np.arange(held.size).reshape(held.shape), 0)
        table.arrays[f"{name}tags"][...] = jnp.asarray(tags, jnp.uint32)
        table.arrays[f"{name}scores"][...] = jnp.asarray(held)


MULTILEVEL = dataclasses.replace(SMALL, middle=0.5, medium=0.5)


def test_hot_values_read_their_own_row_medium_ones_the_sum_of_two_and_cold_ones_one():
    """Of 24 rows 12 are hot; six of the others are second ones. From 1.5 a value is medium.

    The scores are the shares of six reads' gradients: twice 3 of 6, 1.2 of 6, and 0.6 of 6.
    """
    table = built(MULTILEVEL)
    assert (table.spec.shared, table.spec.hot, table.spec.second) == (6, 12, 6)
    key = keys_of(["hot", "medium", "cold"], [1, 2, 3])
    norms = [[6.0, 0.0], [2.4, 0.0], [0.6, 0.0]]
    for _ in range(2):
        observe(table, key, norms)
    first, second = np.split(np.asarray(table.address(key)["weight"])[:, [0, 2]], 2, axis=1)
    assert first[0] in range(6, 18)
    assert first[1:].max() < 6
    assert second[0] == second[2] == OUT
    assert second[1] in range(18, 24)
    rows = np.random.default_rng(0).normal(size=(512, 4)).astype(np.float32)
    table.rows["weight"][...] = jnp.asarray(rows)
    wanted = [rows[first[0, 0]], rows[first[1, 0]] + rows[second[1, 0]], rows[first[2, 0]]]
    for form in (table, table.freeze()):
        np.testing.assert_array_equal(form(key)[:, 0], wanted)
    spec = table.spec
    served = 4 * 4 * 24 + 4 * 12 + 4 * spec.buckets * spec.candidates
    assert payload_bytes(table.freeze()) == spec.table_bytes(4, FIELDS) == served


def test_a_medium_value_that_becomes_hot_starts_from_the_sum_that_it_read():
    key, norms = keys_of(["popular", "rare"], [7, 8]), [[6.0, 0.0], [0.0, 0.1]]
    table = built(dataclasses.replace(MULTILEVEL, medium=0.1))
    observe(table, key, norms)
    graph, state = nnx.split(table)
    first, second = np.asarray(table.address(key)["weight"])[0, [0, 2]]
    assert second != OUT
    _, moves = _observed(graph, state, key, gradients(key, norms))
    at = np.flatnonzero(np.asarray(moves.target) != OUT)
    assert (moves.source[at], moves.plus[at]) == (first, second)


@pytest.mark.parametrize("dim", [1, 4, 16])
def test_bytes_are_hot_and_shared_rows_and_a_tag_for_each_hot_one(dim):
    spec = CAFE(rows=100, share=0.7, ways=8)
    assert (spec.hot, spec.shared) == (64, 36)
    frozen = built(spec, dim).freeze()
    assert payload_bytes(frozen) == spec.table_bytes(dim, FIELDS) == 4 * dim * 100 + 4 * 64


def test_the_served_form_looks_up_the_same_without_the_sketch():
    table = built()
    rng = np.random.default_rng(0)
    table.rows["weight"][...] = jnp.asarray(
        rng.normal(size=table.rows["weight"].shape), jnp.float32
    )
    key = keys_of(["a", "b", "", "d"], [3, 4, 5, 3])
    for _ in range(3):
        observe(table, key, rng.exponential(size=(4, 2)).tolist())
    assert (table.address(key)["weight"] >= table.spec.shared).sum() > 3  # padding is one of them
    frozen = table.freeze()
    np.testing.assert_array_equal(frozen(key), table(key))
    np.testing.assert_array_equal(frozen(key)[2, 0], np.zeros(4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 8}, "ways=8 hot ones.*got rows=8"),
        ({"rows": OUT}, "at most 2,147,483,136 rows"),
        ({"candidates": 0}, "candidates=0"),
        ({"every": 0}, "every 1 or more steps, got every=0"),
        ({"middle": 1.0}, "middle=1.0"),
        ({"medium": 0.0}, "medium=0.0"),
        ({"share": 1.0}, "share=1.0"),
        ({"decay": 1.1}, "decay=1.1"),
        ({"threshold": 0.0}, "threshold=0.0"),
        ({"margin": -0.1}, "margin=-0.1"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CAFE(**options)
