"""MGQE: who is frequent, which centroids each class may have, and what both cost."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from recsys.embedding import Embedding, Unified
from recsys.features import Batch, Feature, Schema
from recsys.losses import LogLoss
from recsys.optim import RowTraining, RowwiseAdagrad
from recsys.tables import DPQ, INT8, MGQE, Hash
from recsys.tables.base import OUT, Field, Keys, Span
from recsys.tables.frozen.classes import split
from recsys.training import Learner, Recipe

FIELDS = (Field("one", 10, salt=1), Field("two", 20, salt=2), Field("tiny", 3, salt=3))
SMALL = MGQE(parts=2, centroids=4, rare=2, share=0.2)


def keys_of(ranks: list[list[int]]) -> Keys:
    low = jnp.asarray(ranks, jnp.uint32)
    spans = tuple(Span(number, number, number + 1) for number in range(len(FIELDS)))
    return Keys(jnp.zeros_like(low), low, jnp.ones(low.shape, bool), spans)


@pytest.mark.slow
def test_the_first_values_of_each_vocabulary_are_frequent_and_come_first():
    """A fifth of 10, 20 and 3 values are 2, 4 and at least 1: seven frequent rows, 26 rare ones."""
    assert split(FIELDS, 0.2).rows == (7, 26)
    table = SMALL.build(4, FIELDS, rngs=nnx.Rngs(0))
    rows = table.address(keys_of([[1, 3, 0], [2, 4, 1], [9, 19, 2], [99, 99, 99]]))["query"]
    np.testing.assert_array_equal(
        rows, [[1, 5, 6], [7 + 0, 7 + 8, 7 + 24], [14, 7 + 23, 32], [14, 30, 32]]
    )
    frozen = table.freeze().address(keys_of([[1, 3, 0], [2, 4, 1]]))
    np.testing.assert_array_equal(frozen["frequent"], [[1, 5, 6], [OUT] * 3])
    np.testing.assert_array_equal(frozen["rare"], [[OUT] * 3, [0, 8, 24]])


@pytest.mark.slow
def test_rare_values_choose_among_the_first_centroids_by_hand():
    """Of the centroids 0, 1, 2, 3 of a part the nearest to 2.6 is the last, and 1 of the first two.

    The classes share the codebook, and the one with fewer centroids has its first.
    """
    table = SMALL.build(4, FIELDS, rngs=nnx.Rngs(0))
    steps = np.arange(4.0, dtype=np.float32).reshape(1, 4, 1)
    table.codebook[...] = jnp.asarray(np.concatenate([steps, -steps]).repeat(2, axis=2))
    row = jnp.array([[2.6, 2.6, -0.2, -0.2]])
    table.rows["query"][...] = jnp.zeros_like(table.rows["query"][...]).at[:33].set(row)
    key = keys_of([[1, 3, 0], [2, 4, 1]])
    for form in (table, table.freeze()):
        vectors = np.asarray(form(key))
        np.testing.assert_array_equal(vectors[0], [[3, 3, 0, 0]] * 3)
        np.testing.assert_array_equal(vectors[1], [[1, 1, 0, 0]] * 3)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    parts=st.sampled_from([1, 2, 4]),
    bits=st.integers(1, 5),
    fewer=st.integers(0, 4),
    share=st.floats(0.01, 0.99),
)
def test_each_class_is_saved_at_its_own_bits(parts, bits, fewer, share):
    method = MGQE(parts=parts, centroids=2**bits, rare=2 ** max(1, bits - fewer), share=share)
    frequent, rare = split(FIELDS, share).rows
    short = max(1, bits - fewer)
    frozen = nnx.eval_shape(lambda: method.build(4, FIELDS, rngs=nnx.Rngs(0)).freeze())
    assert frozen.rows["frequent"].shape == (frequent, -(-bits * parts // 8))
    assert frozen.rows["rare"].shape == (rare, -(-short * parts // 8))
    arrays = jax.tree.leaves(nnx.state(frozen))
    saved = sum(array.size * array.dtype.itemsize for array in arrays)
    assert saved == method.table_bytes(4, FIELDS)


def test_a_budget_keeps_the_gap_between_the_classes():
    fields = (Field("a", 100_000, salt=1),)
    dial = MGQE().dial(16, fields)
    found = [dial.make(number) for number in range(dial.settings)]
    costs = [spec.table_bytes(16, fields) for spec in found]
    assert costs == sorted(set(costs))
    assert all(spec.rare == max(2, spec.centroids // 4) for spec in found)
    assert MGQE().within(costs[3] + 1, 16, fields) == found[3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": Hash()}, "got of=Hash"),
        ({"of": INT8()}, "MGQE quantises vectors that are stored as they are, got INT8"),
        ({"mode": "sx"}, "mode='sx'"),
        ({"rare": 48}, "got rare=48"),
        ({"centroids": 32}, "up to centroids=32, got rare=64"),
        ({"share": 1.0}, r"in \(0, 1\), got 1.0"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MGQE(**options)


def test_vocabularies_of_one_value_are_refused():
    with pytest.raises(ValueError, match="vocabularies of one value each: use Full"):
        SMALL.table_bytes(4, (Field("a", 1, salt=1),))


class OneNumber(nnx.Module):
    """Clicks on items, by a number that the model learns of each."""

    def __init__(self, method):
        rngs = nnx.Rngs(0)
        self.embed = Embedding(ITEMS, Unified(method, 4), rngs=rngs)
        self.head = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, vectors, batch):
        return self.head(vectors["item"])[:, 0]

    def loss(self, vectors, batch, context):
        return LogLoss()(self(vectors, batch), batch.label, batch.weight)


ITEMS = Schema((Feature("item", values=100),))
SEEN_OFTEN = 30  # drawn as the square of a uniform number, these are 55% of all examples


def shown(count: int, *, seed: int) -> Batch:
    """Items with an effect of their own each: two numbers for all of them say its sign at most."""
    planted, drawn = np.random.default_rng(7), np.random.default_rng(seed)
    item = (100 * drawn.random(count) ** 2).astype(np.int64)
    logit = 2 * planted.normal(size=100)[item]
    return ITEMS.encode({"item": item, "label": drawn.random(count) < 1 / (1 + np.exp(-logit))})


def auc(method) -> float:
    """On new examples of frequent items."""
    learner = Learner(OneNumber(method), Recipe(rows=RowTraining(RowwiseAdagrad(0.1))))
    state, data, test = learner.start(), shown(16_384, seed=0), shown(16_384, seed=1)
    for number in range(256):
        state, _ = learner.step(state, data.take(np.arange(number * 64, (number + 1) * 64)))
    kept = np.flatnonzero(np.asarray(test.low[:, 0]) < SEEN_OFTEN)
    return float(roc_auc_score(test.label[kept], learner.predict(state, test)[kept]))


@pytest.mark.slow
def test_frequent_values_need_their_long_codes():
    """With two centroids for all but one of them, an item is good or bad and nothing between."""
    method = MGQE(parts=1, centroids=32, rare=2, share=SEEN_OFTEN / 100)
    alike = dataclasses.replace(method, share=1e-6)  # one frequent value
    long, short, two = auc(method), auc(alike), auc(DPQ(parts=1, centroids=2))
    assert long > max(short, two) + 0.02
