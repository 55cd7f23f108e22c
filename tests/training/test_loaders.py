"""Training from any loader and any examples: the same end from any start, and never read whole."""

import itertools
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.data import Blocks, Shuffled
from recsys.embedding import Unified
from recsys.features import Batch
from recsys.models import DCN
from recsys.tables import Hash
from recsys.training import Learner, Recipe, evaluate, fit, predict
from recsys.training.reopen import reopen
from tests.data.examples import Spied
from tests.toy import SCHEMA, as_numpy, clicks

pytestmark = pytest.mark.slow

DATA = clicks(500)
LOADERS = {
    "shuffled": lambda data: Shuffled(data, size=32, seed=1),
    "blocks": lambda data: Blocks(data, size=32, seed=1, block=40, window=3),
}


@pytest.fixture(scope="module")
def learner() -> Learner:
    model = DCN(SCHEMA, Unified(Hash(rows=300), 4), hidden=(8,))
    return Learner(lambda: model.build(rngs=nnx.Rngs(0)), Recipe())


def trained(learner: Learner, loader, steps: int, directory: Path) -> dict[str, bytes]:
    fit(learner, loader, steps=steps, directory=directory)
    return {path: array.tobytes() for path, array in as_numpy(reopen(directory).state)}


@pytest.mark.parametrize("name", LOADERS)
def test_a_run_goes_on_after_the_last_batch_it_used(learner, tmp_path, name):
    make = LOADERS[name]
    wanted = trained(learner, make(DATA), 20, tmp_path / "once")
    trained(learner, make(DATA), 7, tmp_path / "twice")  # others were read ahead, and are lost
    assert trained(learner, make(DATA), 20, tmp_path / "twice") == wanted


def test_the_loop_takes_the_batches_that_the_loader_makes(learner):
    loader = LOADERS["blocks"](DATA)
    state = learner.start()
    for step in range(6):
        state, _ = learner.step(state, loader.batch(step))
    fitted = fit(learner, loader, steps=6)
    for (_, came), (_, wanted) in zip(as_numpy(fitted.state), as_numpy(state), strict=True):
        assert came.tobytes() == wanted.tobytes()


def test_another_loader_in_the_same_directory_is_refused(learner, tmp_path):
    fit(learner, LOADERS["shuffled"](DATA), steps=1, directory=tmp_path)
    with pytest.raises(ValueError, match="another spec"):
        fit(learner, LOADERS["blocks"](DATA), steps=2, directory=tmp_path)


def test_evaluation_reads_a_batch_at_a_time(learner):
    spied, state = Spied(DATA), learner.start()
    whole = np.asarray(learner.predict(state, DATA))
    np.testing.assert_allclose(
        predict(learner, state, spied, batch_size=64).logit, whole, rtol=1e-5
    )
    assert [len(part) for part in spied.taken] == [64] * 7 + [52]
    assert list(itertools.chain(*spied.taken)) == DATA.low[:, 0].tolist()
    assert evaluate(learner, state, spied) == evaluate(learner, state, DATA)


def test_a_split_that_is_never_read_whole_chooses_the_epoch(learner):
    spied = Spied(clicks(300, seed=1))
    fitted = fit(learner, LOADERS["blocks"](DATA), epochs=2, valid=spied)
    assert set(fitted.valid) == {"auc", "logloss"}


def test_an_empty_split_is_refused(learner):
    nothing: Batch = jax.tree.map(lambda array: array[:0], DATA)
    with pytest.raises(ValueError, match="from 0 examples"):
        predict(learner, learner.start(), nothing)
