"""Blocks: read from front to back in pieces, mixed in a window, every example once an epoch."""

import numpy as np
import pytest

from recsys.data import Blocks, Loader
from tests.data.examples import Spied, examples


def loader(count: int = 103, **given) -> Blocks:
    """103 examples: 12 whole blocks and one of 7, in 4 windows."""
    return Blocks(examples(count), **{"size": 10, "block": 8, "window": 4, "seed": 1, **given})


def epoch_of(blocks: Blocks, epoch: int = 0) -> list[int]:
    steps = range(epoch * blocks.steps_per_epoch, (epoch + 1) * blocks.steps_per_epoch)
    return [int(number) for step in steps for number in blocks.indices(step)]


@pytest.mark.parametrize("epoch", [0, 1, 4])
@pytest.mark.parametrize("size", [1, 5, 10, 103])
def test_every_example_comes_once_an_epoch_but_for_the_remainder(epoch, size):
    seen = epoch_of(loader(size=size), epoch)
    assert len(seen) == len(set(seen)) == 103 // size * size
    assert set(seen) <= set(range(103))


@pytest.mark.parametrize(("block", "window"), [(1, 1), (8, 1), (8, 100), (1000, 3), (103, 1)])
def test_any_blocks_and_windows_will_do(block, window):
    assert sorted(epoch_of(loader(size=1, block=block, window=window))) == list(range(103))


def test_a_batch_is_the_same_from_any_step():
    forward = loader()
    batches = [forward.batch(step).label.tolist() for step in range(25)]
    for step in (24, 3, 11, 10, 0):
        assert loader().batch(step).label.tolist() == batches[step]
        assert forward.batch(step).label.tolist() == batches[step]


def test_the_order_is_pinned():
    assert loader().indices(0).tolist() == [46, 3, 40, 6, 42, 58, 62, 52, 54, 47]
    assert loader().indices(29).tolist() == [100, 8, 25, 10, 31, 102, 24, 12, 101, 27]


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [epoch_of(loader(seed=seed), epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert len(set(map(tuple, orders))) == 4


def test_a_window_mixes_its_blocks_and_no_others():
    seen = np.array(epoch_of(loader(96, size=8, block=8, window=4))).reshape(3, 32)
    blocks = [set((part // 8).tolist()) for part in seen]
    assert [len(own) for own in blocks] == [4, 4, 4]
    assert set.union(*blocks) == set(range(12))
    assert all(len(set((part[:8] // 8).tolist())) > 1 for part in seen)
    assert all((np.diff(part) < 0).any() for part in seen)


def test_windows_are_read_whole_and_once_before_their_batches():
    spied = Spied(examples(96))
    blocks = Blocks(spied, size=16, block=8, window=4, seed=1)
    for step in range(blocks.steps_per_epoch):
        wanted = set(blocks.batch(step).label.astype(int).tolist())
        in_one_piece = [set(part) for part in spied.taken if part == sorted(part)]
        assert wanted <= set.union(*in_one_piece)
    pieces = [tuple(part) for part in list(spied.taken) if len(part) == 8]
    first = pieces[:12]  # then comes the next epoch
    assert len(set(first)) == 12
    assert all(list(piece) == list(range(piece[0], piece[0] + 8)) for piece in first)


def test_to_begin_anywhere_no_more_than_two_windows_are_read():
    spied = Spied(examples(8000))
    blocks = Blocks(spied, size=10, block=8, window=4)
    blocks.batch(500)
    read = [part for part in spied.taken if len(part) == 8]
    assert 4 <= len(read) <= 2 * 4


def test_processes_read_ranges_of_their_own():
    parts = [loader(size=12, process_index=index, process_count=3) for index in range(3)]
    assert {part.steps_per_epoch for part in parts} == {8}
    seen = [set(epoch_of(part)) for part in parts]
    assert [len(own) for own in seen] == [32, 32, 32]
    assert [(min(own) >= low, max(own) < high) for own, low, high in
            zip(seen, (0, 34, 68), (35, 69, 103), strict=True)] == [(True, True)] * 3  # fmt: skip


def test_a_window_that_cannot_be_read_is_an_error_of_its_batch():
    class Torn(Spied):
        def take(self, indices):
            if isinstance(indices, slice):
                raise OSError("torn")
            return super().take(indices)

    with pytest.raises(OSError, match="torn"):
        Blocks(Torn(examples(50)), size=5).batch(0)


def test_blocks_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="got block=0 and window=4"):
        loader(block=0)
    with pytest.raises(ValueError, match=r"Blocks\(size=104\) cannot draw batches from 103"):
        loader(size=104)
    with pytest.raises(ValueError, match="Blocks wants step >= 0"):
        loader().indices(-1)


def test_what_decides_the_order_is_told():
    assert isinstance(loader(), Loader)
    assert loader().order == {
        "examples": 103, "size": 10, "seed": 1, "block": 8, "window": 4, "processes": 1
    }  # fmt: skip
