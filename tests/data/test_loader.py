"""Shuffled batches: every example once an epoch, and nothing but the step needed to resume."""

import jax
import numpy as np
import pytest

from recsys.data import InOrder, Loader, Shuffled
from tests.data.examples import Spied, examples


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


@pytest.mark.parametrize("count", [1, 2, 5])
def test_processes_share_the_batch_that_one_would_read(count):
    whole = Shuffled(examples(64), size=20, seed=3)
    parts = [
        Shuffled(examples(64), size=20, seed=3, process_index=index, process_count=count)
        for index in range(count)
    ]
    for step in (0, 2, 7):
        shares = [part.indices(step) for part in parts]
        assert {len(share) for share in shares} == {20 // count}
        assert np.array_equal(np.concatenate(shares), whole.indices(step))
    assert {part.steps_per_epoch for part in parts} == {3}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"process_index": 2, "process_count": 2}, "process_index=2 and process_count=2"),
        ({"process_index": 1}, "give both, or neither"),
        ({"process_index": 0, "process_count": 3}, "shared by 3 processes, got size=10"),
    ],
)
def test_batches_that_processes_cannot_share_are_refused(given, told):
    with pytest.raises(ValueError, match=told):
        Shuffled(examples(30), size=10, **given)


def test_only_the_examples_of_a_batch_are_read():
    spied = Spied(examples(100))
    Shuffled(spied, size=10).batch(13)
    assert [len(taken) for taken in spied.taken] == [10]


def test_in_order_every_example_comes_once_and_what_fills_up_weighs_nothing():
    loader = InOrder(examples(25), size=10)
    batches = [loader.batch(step) for step in range(loader.steps_per_epoch)]
    assert [loader.count(step) for step in range(3)] == [10, 10, 5]
    assert {len(batch) for batch in batches} == {10}
    assert np.concatenate([batch.label for batch in batches])[:25].tolist() == list(range(25))
    last = batches[-1]
    assert last.weight.tolist() == [1] * 5 + [0] * 5
    assert last.valid.any(axis=1).tolist() == [True] * 5 + [False] * 5
    assert np.array_equal(loader.batch(3).label, batches[0].label)


def test_in_order_one_batch_may_hold_more_than_there_is():
    loader = InOrder(examples(3), size=8)
    assert (loader.steps_per_epoch, loader.count(0), len(loader.batch(0))) == (1, 3, 8)
    with pytest.raises(ValueError, match="from 0 examples"):
        InOrder(examples(0), size=8)


def test_loaders_are_loaders():
    for loader in (Shuffled(examples(9), size=3), InOrder(examples(9), size=3)):
        assert isinstance(loader, Loader)
