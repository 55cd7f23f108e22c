"""The stream: batches come in order, once, from threads that read ahead, and it resumes exactly."""

import itertools
import threading
from contextlib import closing

import jax
import numpy as np
import pytest

from recsys.data import Blocks, InOrder, Shuffled, batches, stream
from tests.data.examples import Spied, examples

LOADERS = {
    "shuffled": lambda: Shuffled(examples(103), size=10, seed=2),
    "blocks": lambda: Blocks(examples(103), size=10, seed=2, block=8, window=3),
    "in order": lambda: InOrder(examples(103), size=10),
}
TIMEOUT_S = 60


@pytest.fixture(params=LOADERS)
def loader(request):
    return LOADERS[request.param]()


def labels(came) -> list[list[float]]:
    return [batch.label.tolist() for batch in came]


@pytest.mark.parametrize("readers", [0, 1, 3])
def test_batches_come_in_order_and_once(loader, readers):
    wanted = labels(loader.batch(step) for step in range(4, 27))
    with closing(stream(loader, start=4, stop=27, readers=readers)) as came:
        assert labels(came) == wanted


def test_it_goes_to_the_end_of_the_epoch_by_itself(loader):
    epoch = loader.steps_per_epoch
    with closing(stream(loader, start=epoch + 3)) as came:
        assert len(list(came)) == epoch - 3


def test_a_run_may_already_be_at_its_end(loader):
    with closing(stream(loader, start=5, stop=5)) as came:
        assert list(came) == []


def test_its_state_is_the_last_batch_that_was_used(loader):
    wanted = labels(loader.batch(step) for step in range(20))
    with closing(stream(loader, stop=20, readers=2, ahead=6)) as came:
        used = labels(itertools.islice(came, 7))  # more of them were read by now
        state = came.get_state()
    with closing(stream(loader, stop=20, readers=2, ahead=6)) as resumed:
        resumed.set_state(state)
        assert used + labels(resumed) == wanted


def test_batches_are_read_before_they_are_asked_for():
    is_read = threading.Event()

    class Ahead(Spied):
        def take(self, indices):
            if len(self.taken) == 3:
                is_read.set()
            return super().take(indices)

    with closing(stream(Shuffled(Ahead(examples(100)), size=10), readers=1, ahead=5)) as came:
        next(came)
        assert is_read.wait(TIMEOUT_S)


def test_no_more_is_read_ahead_than_asked_for():
    spied = Spied(examples(1000))
    with closing(stream(InOrder(spied, size=10), readers=2, ahead=3)) as came:
        for _ in range(5):
            next(came)
    assert 5 <= len(spied.taken) <= 5 + 3 + 1


def test_an_error_comes_with_the_batch_it_belongs_to():
    class Torn(Spied):
        def take(self, indices):
            if 55 in self.data.take(indices).label:
                raise OSError("torn")
            return super().take(indices)

    with closing(stream(InOrder(Torn(examples(100)), size=10), readers=2)) as came:
        assert len(list(itertools.islice(came, 5))) == 5
        with pytest.raises(OSError, match="torn"):
            next(came)


def test_batches_lie_on_the_device_when_they_come(loader):
    with closing(stream(loader, stop=3, put=jax.device_put)) as came:
        for step, batch in enumerate(came):
            assert all(isinstance(array, jax.Array) for array in jax.tree.leaves(batch))
            assert np.array_equal(batch.label, loader.batch(step).label)


def test_arrays_are_handed_on_in_one_piece():
    class Strided(Spied):
        def take(self, indices):
            return jax.tree.map(
                lambda array: np.repeat(array, 2, axis=0)[::2], super().take(indices)
            )

    with closing(stream(Shuffled(Strided(examples(40)), size=10))) as came:
        assert all(array.flags.c_contiguous for b in came for array in jax.tree.leaves(b))


def test_steps_have_batches_by_number_too(loader):
    numbered = batches(loader, start=2, stop=9)
    assert len(numbered) == 7
    fourth = numbered[3]
    assert fourth is not None
    assert np.array_equal(fourth.label, loader.batch(5).label)
