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
from recsys.tables.base import OUT, Context, Field, Keys, Span, payload_bytes
from recsys.tables.cafe import CAFETable
from recsys.tables.hash import hashed
from tests.toy import as_numpy

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


def shared_rows(table: CAFETable, key: Keys) -> np.ndarray:
    return np.asarray(hashed(key, table.fields, table.spec.shared))


@functools.partial(jax.jit, static_argnames="graph")
def _observed(graph, state, key, grads):
    table = nnx.merge(graph, state)
    moves = table.observe(key, grads, Context.still())["weight"]
    return nnx.state(table), moves


def observe(table: CAFETable, key: Keys, norms: list[list[float]]) -> dict[int, int]:
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
    score = float(table.sketch.hot_scores.max())
    floor = table.spec.threshold / (1 + table.spec.margin)
    for _ in range(math.ceil(math.log(floor / score) / math.log(table.spec.decay))):
        assert table.address(key)["weight"][0, 0] != shared[0, 0]
        assert table.maintain(Context.still()) == {}
    np.testing.assert_array_equal(table.address(key)["weight"], shared)
    assert not np.asarray(table.sketch.hot_tags).any()
    # Its score is not forgotten: one more meeting above the threshold, and it has a row again.
    assert len(observe(table, key, [[5.0, 0.0], [0.0, 1.0]])) == 1


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
        ({"share": 1.0}, "share=1.0"),
        ({"decay": 1.1}, "decay=1.1"),
        ({"threshold": 0.0}, "threshold=0.0"),
        ({"margin": -0.1}, "margin=-0.1"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CAFE(**options)
