"""Training distinct rows block by block ends where training them all at once does."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Unified
from recsys.features import Batch, Feature, Schema
from recsys.models import DCN
from recsys.optim import LazyAdam, RowTraining, touched
from recsys.tables import INT8, Hash
from recsys.training import Learner, Recipe

pytestmark = pytest.mark.slow

SCHEMA = Schema(tuple(Feature(name) for name in "abcd"))
EXAMPLES = 1024  # times four features: 4,096 places, two small blocks where all are distinct
SMALL = 2048  # rows of a block


def batch(values: int, *, seed: int) -> Batch:
    """Examples whose features have so many values."""
    draw = np.random.default_rng(seed)
    columns = {name: draw.integers(0, values, EXAMPLES) for name in "abcd"}
    return SCHEMA.encode({**columns, "label": draw.integers(0, 2, EXAMPLES)})


@functools.cache
def learner_of(method: Hash | INT8, block: int) -> Learner:
    """Its first step is compiled for blocks of so many rows."""
    model = DCN(SCHEMA, Unified(method, 4), hidden=(8,))
    recipe = Recipe(rows=RowTraining(LazyAdam(), average=0.9))
    return Learner(lambda: model.build(rngs=nnx.Rngs(0)), recipe)


def trained(method: Hash | INT8, batches: list[Batch], *, block: int = touched.BLOCK):
    """The rows and slots after a step on each batch."""
    learner = learner_of(method, block)
    state = learner.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(touched, "BLOCK", block)
        for one in batches:
            state, _ = learner.step(state, one)
    return jax.device_get((state.rows, state.slots, state.params))


def assert_same(blocked: np.ndarray, whole: np.ndarray) -> None:
    """Floats to 1e-5; codes but for one in ten thousand, whose value lay on a boundary."""
    if blocked.dtype == np.int8:
        apart = np.abs(blocked.astype(int) - whole)
        assert apart.max() <= 1
        assert np.mean(apart) < 1e-4
    else:
        left, right = blocked.astype(np.float32), whole.astype(np.float32)
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", [Hash(rows=50_000), INT8(of=Hash(rows=50_000))], ids=str)
@pytest.mark.parametrize("values", [3, 700, 1_000_000], ids="{} values".format)
def test_blocks_end_where_all_at_once_does(method, values):
    batches = [batch(values, seed=seed) for seed in range(3)]
    whole = trained(method, batches)
    jax.tree.map(assert_same, trained(method, batches, block=SMALL), whole)


def test_a_skipped_step_does_no_block():
    good = batch(1_000_000, seed=0)
    bad = dataclasses.replace(good, label=np.full(EXAMPLES, np.nan, np.float32))
    method = Hash(rows=50_000)
    before, after = (trained(method, own, block=SMALL) for own in ([good], [good, bad]))
    jax.tree.map(np.testing.assert_array_equal, after, before)
