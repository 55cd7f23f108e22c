"""Shuffled batches: every example once an epoch, and nothing but the step needed to resume."""

import jax
import numpy as np
import pytest

from recsys.data import Shuffled
from recsys.features import Batch


def examples(count: int) -> Batch:
    number = np.arange(count)
    return Batch(
        high=np.zeros((count, 2), np.uint32),
        low=np.stack([number, number], axis=1).astype(np.uint32),
        valid=np.ones((count, 2), bool),
        numbers=number[:, None].astype(np.float32),
        label=number.astype(np.float32),
        weight=np.ones(count, np.float32),
    )


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_example_comes_once_an_epoch(epoch):
    loader = Shuffled(examples(60), size=10, seed=3)
    steps = range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch)
    seen = np.concatenate([loader.batch(step).label for step in steps])
    assert sorted(seen) == list(range(60))


def test_the_remainder_is_dropped_and_drawn_anew():
    loader = Shuffled(examples(25), size=10, seed=0)
    assert loader.steps_per_epoch == 2
    epochs = [{int(i) for s in (2 * e, 2 * e + 1) for i in loader.indices(s)} for e in range(20)]
    assert {len(seen) for seen in epochs} == {20}
    assert set.union(*epochs) == set(range(25))


def test_a_batch_is_the_same_from_any_step():
    forward = Shuffled(examples(64), size=8, seed=7)
    batches = [forward.batch(step).label for step in range(30)]
    for step in reversed(range(30)):
        resumed = Shuffled(examples(64), size=8, seed=7)
        assert np.array_equal(resumed.batch(step).label, batches[step])
        assert np.array_equal(forward.batch(step).label, batches[step])


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [
        Shuffled(examples(64), size=64, seed=seed).indices(step).tolist()
        for seed in (0, 1)
        for step in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_the_arrays_of_a_batch_stay_aligned():
    batch = Shuffled(examples(50), size=20, seed=1).batch(4)
    assert len(batch) == 20
    assert np.array_equal(batch.low[:, 1], batch.label)
    assert np.array_equal(batch.numbers[:, 0], batch.label)


def test_take_selects_rows_in_order():
    batch = examples(5).take(np.array([3, 0, 3]))
    assert batch.label.tolist() == [3, 0, 3]
    assert batch.low.tolist() == [[3, 3], [0, 0], [3, 3]]
    assert examples(5).take(slice(1, 3)).label.tolist() == [1, 2]


def test_a_batch_is_a_tree_that_may_hold_shapes():
    shapes = jax.eval_shape(lambda batch: batch, examples(4))
    assert shapes.low.shape == (4, 2)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(shapes)]
    assert names == [".high", ".low", ".valid", ".numbers", ".label", ".weight"]
    assert len(jax.jit(lambda batch: batch.take(slice(0, 2)))(examples(4))) == 2


@pytest.mark.parametrize("size", [0, 11])
def test_batches_that_cannot_be_filled_are_refused(size):
    with pytest.raises(ValueError, match=rf"size={size}.*10 examples"):
        Shuffled(examples(10), size=size)


def test_negative_steps_and_seeds_are_refused():
    with pytest.raises(ValueError, match="step=-1"):
        Shuffled(examples(10), size=2).batch(-1)
    with pytest.raises(ValueError, match="seed=-1"):
        Shuffled(examples(10), size=2, seed=-1)
