"""The loop: resumes to the same end, keeps the best epoch, stops cleanly, and evaluates exactly."""

import dataclasses
import functools
import os
import re
import signal
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.checkpoint import describe, steps
from recsys.data import Shuffled
from recsys.embedding import Unified
from recsys.metrics import AUC, LogLoss, Predictions
from recsys.models import DCN
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.parallel.mesh import make_mesh
from recsys.tables import Hash
from recsys.training import Learner, Recipe
from recsys.training.evaluation import evaluate, predict, served
from recsys.training.log import MetricsLog, read
from recsys.training.loop import fit
from recsys.training.reopen import reopen
from tests.toy import LAYOUTS, SCHEMA, Toy, as_numpy, clicks

pytestmark = pytest.mark.slow

MODEL = DCN(SCHEMA, Unified(Hash(rows=300), 8), hidden=(16,))
RECIPE = Recipe(rows=RowTraining(LazyAdam(0.05), average=0.9), dense=Adam(0.05))
DATA, VALID = clicks(1000), clicks(333, seed=1)
EPOCH = 10  # steps


@functools.cache
def learner(recipe: Recipe = RECIPE, devices: int = 1) -> Learner:
    """A learner; it keeps no state but what it compiled."""
    mesh = make_mesh(jax.devices()[:devices])
    return Learner(lambda: MODEL.build(rngs=nnx.Rngs(0)), recipe, mesh)


def loader(size: int = 96) -> Shuffled:
    return Shuffled(DATA, size=size)


def same(left: object, right: object) -> bool:
    return {path: array.tobytes() for path, array in as_numpy(left)} == {
        path: array.tobytes() for path, array in as_numpy(right)
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The directory of a run of 25 steps."""
    directory = tmp_path_factory.mktemp("undisturbed")
    fit(learner(), loader(), steps=25, valid=VALID, directory=directory, every=4)
    return directory


def test_training_learns_its_examples(undisturbed):
    found = reopen(undisturbed)
    assert evaluate(found.learner, found.state, DATA)["auc"] > 0.7


def test_each_step_has_one_line_and_each_epoch_another(undisturbed):
    lines = read(undisturbed / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 26))
    assert [line["step"] for line in lines if "valid" in line] == [10, 20, 25]
    assert all(np.isfinite(line["loss"]) for line in lines if "loss" in line)


def test_checkpoints_lie_where_they_were_asked_for_and_the_best_stays(undisturbed):
    best = reopen(undisturbed).notes["best"]["step"]
    assert set(steps(undisturbed)) == {20, 24, 25, best}


def test_a_stopped_run_goes_on_to_the_same_end(undisturbed, tmp_path, monkeypatch):
    step = Learner.step

    def terminating(self, state, batch):
        if int(state.step) == 13:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, state, batch)

    arguments = {"steps": 25, "valid": VALID, "directory": tmp_path, "every": 4}
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", terminating)
        stopped = fit(learner(), loader(), **arguments)
    assert stopped.is_stopped
    assert (stopped.step, stopped.last_step) == (14, 14)
    assert steps(tmp_path)[-1] == 14
    finished = fit(learner(), loader(), **arguments)
    assert (finished.last_step, finished.is_stopped) == (25, False)
    assert same(reopen(tmp_path).state, reopen(undisturbed).state)
    logs = [(path / "metrics.jsonl").read_bytes() for path in (tmp_path, undisturbed)]
    assert logs[0] == logs[1]


def test_a_finished_run_is_only_read_again(undisturbed):
    before = (undisturbed / "metrics.jsonl").read_bytes()
    again = fit(learner(), loader(), steps=25, valid=VALID, directory=undisturbed, every=4)
    best = max((line for line in read(undisturbed / "metrics.jsonl") if "valid" in line),
               key=lambda line: line["valid"]["auc"])  # fmt: skip
    assert (again.step, again.valid) == (best["step"], best["valid"])
    assert (undisturbed / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize("directory", [None, "run"])
def test_the_best_epoch_comes_back_and_patience_ends_the_run(tmp_path, directory):
    where = directory and tmp_path / directory
    fitted = fit(learner(), loader(), epochs=30, valid=VALID, patience=2, directory=where)
    assert fitted.last_step == fitted.step + 2 * EPOCH
    assert evaluate(learner(), fitted.state, VALID) == fitted.valid
    assert int(fitted.state.step) == fitted.step


def test_a_cap_ends_training_with_the_best_so_far():
    fitted = fit(learner(), loader(), epochs=1000, valid=VALID, most_seconds=0.2)
    assert fitted.is_capped
    assert fitted.last_step < 1000 * EPOCH
    assert fitted.valid["auc"] > 0
    assert not fit(learner(), loader(), epochs=1, valid=VALID, most_seconds=60.0).is_capped


def test_a_checkpoint_opens_on_other_devices_without_its_script(undisturbed):
    one, four = reopen(undisturbed), reopen(undisturbed, mesh=make_mesh(jax.devices()[:4]))
    assert same(one.state, four.state)
    assert one.spec["model"] == MODEL
    assert one.spec["recipe"] == RECIPE
    wanted = predict(one.learner, one.state, VALID).logit
    np.testing.assert_allclose(predict(four.learner, four.state, VALID).logit, wanted, atol=1e-5)
    state, report = four.learner.step(four.state, DATA.take(slice(0, 64)))
    assert np.isfinite(report.loss)
    assert int(state.step) == 26


def test_another_run_in_the_same_directory_is_refused(undisturbed):
    with pytest.raises(ValueError, match=r"another spec .*data\.size is 96 there and 100 here"):
        fit(learner(), loader(100), steps=30, directory=undisturbed)


def test_a_model_without_a_spec_cannot_be_saved(tmp_path):
    toy = Learner(lambda: Toy(LAYOUTS["unified"](Hash(rows=300))), RECIPE)
    with pytest.raises(ValueError, match="needs the spec of its model, and Toy has none"):
        fit(toy, loader(), steps=1, directory=tmp_path)
    assert fit(toy, loader(), steps=1).last_step == 1


@pytest.mark.parametrize("given", [{}, {"epochs": 1, "steps": 1}, {"steps": 0}])
def test_the_length_of_training_is_said_once(given):
    with pytest.raises(ValueError, match="either epochs or steps, at least 1, got"):
        fit(learner(), loader(), **given)


def test_a_checkpoint_of_someone_else_is_not_reopened(tmp_path, undisturbed):
    from recsys.checkpoint import Saver

    with Saver(tmp_path) as saver:
        saver.save(1, {"weight": jax.numpy.ones(3)}, spec={"of": "another program"})
    with pytest.raises(ValueError, match="should say which model and recipe it belongs to"):
        reopen(tmp_path)


@pytest.mark.parametrize("devices", [1, 4])
def test_padding_of_the_last_batch_does_not_count(devices):
    label, weight = np.asarray(VALID.label), np.linspace(0, 2, len(VALID), dtype=np.float32)
    weighted = dataclasses.replace(VALID, weight=weight)
    one = learner(dataclasses.replace(RECIPE, rows=RowTraining(LazyAdam(0.05))), devices)
    state = one.start()
    whole = Predictions()
    direct = learner().predict(learner().start(), weighted)
    whole.add(np.asarray(direct), label, weight=weight)
    came = evaluate(one, state, weighted, batch_size=98)
    assert came == pytest.approx({"auc": AUC()(whole), "logloss": LogLoss()(whole)}, abs=1e-6)
    assert len(predict(one, state, weighted, batch_size=98)) == len(VALID)


def test_the_moving_average_is_what_is_evaluated():
    kept = learner()
    state = fit(kept, loader(), epochs=1).state
    came = predict(kept, state, VALID).logit
    averaged, last = (np.asarray(kept.predict(s, VALID)) for s in (kept.averaged(state), state))
    np.testing.assert_allclose(came, averaged, rtol=1e-5)
    assert np.abs(came - last).max() > 0.01
    plain = learner(dataclasses.replace(RECIPE, rows=RowTraining(LazyAdam(0.05))))
    assert served(plain, state) is state


def test_progress_is_told_in_lines_where_there_is_no_terminal(capsys):
    fit(learner(), loader(), epochs=2, valid=VALID)
    told = capsys.readouterr()
    assert told.out == ""
    lines = [f"epoch {n}, step {n * EPOCH}: loss .*, auc .*, logloss .* examples/s" for n in (1, 2)]
    assert re.fullmatch("\n".join([*lines, ""]), told.err)


@pytest.mark.parametrize("half", ['{"step": 3, "lo', '{"step": 3}'])
def test_lines_beyond_the_checkpoint_are_cut_off(tmp_path, half):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 2, "valid": 1}\n{"step": 3}\n' + half)
    MetricsLog(path, step=2).close()
    assert [line["step"] for line in read(path)] == [1, 2, 2]


def test_half_a_line_of_the_last_step_is_cut_off(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}')
    MetricsLog(path, step=2).close()
    assert path.read_text() == '{"step": 1}\n'


def test_a_spoilt_log_is_refused(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nhello\n{"step": 2}\n')
    with pytest.raises(ValueError, match="line 2 is not: mend it"):
        MetricsLog(path, step=2)


def test_what_is_not_finite_is_null_in_the_log(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write(1, loss=float("nan"))
    assert read(log.path) == []
    log.flush()
    assert read(log.path) == [{"step": 1, "loss": None}]
    log.close()


def test_the_log_is_on_disk_before_the_checkpoint_that_relies_on_it(tmp_path, monkeypatch):
    from recsys.training.loop import Saver

    lines = []
    save = Saver.save

    def saving(self, step, *arguments, **named):
        lines.append((step, read(tmp_path / "metrics.jsonl")[-1]["step"]))
        save(self, step, *arguments, **named)

    monkeypatch.setattr(Saver, "save", saving)
    fit(learner(), loader(), steps=6, directory=tmp_path, every=3)
    assert lines == [(3, 3), (6, 6)]
    assert describe(tmp_path).step == 6
