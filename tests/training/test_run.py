"""A run: its directory tells all of it, goes on, and refuses what it was not told."""

import dataclasses
import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.checkpoint import steps
from recsys.data.importing import import_files
from recsys.data.store import Store
from recsys.features import Feature, Schema
from recsys.spec import from_json
from recsys.training.log import read
from recsys.training.loop import Fitted
from recsys.training.run import open_run, train_run
from recsys.training.run_spec import read_spec, refuse_other_store
from recsys.training.settings import Settings
from tests.events import SCHEMA, write_events

pytestmark = pytest.mark.slow

SETTINGS = Settings(
    epochs=3,
    batch=64,
    model_options=("hidden=8",),
    table="hash",
    budget="4KB",
    rate=0.05,
    dense_rate=0.02,
    average=0.9,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A small log, imported."""
    return imported(tmp_path_factory.mktemp("store"))


def imported(folder: Path, schema: Schema = SCHEMA, *, rows: int = 2000, seed: int = 0) -> Store:
    log = write_events(folder / "events.csv", rows, seed=seed)
    import_files(log, schema, folder / "events.store", vocabulary=None)
    return Store.open(folder / "events.store")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, store) -> tuple[Path, Fitted]:
    """A run of three epochs, and what it returned; tests that change it take a copy."""
    path = tmp_path_factory.mktemp("runs") / "first"
    return path, train_run(store, path, SETTINGS)


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    """The run, to be changed."""
    return Path(shutil.copytree(trained[0], tmp_path / "copy"))


def test_the_directory_tells_all(trained, store):
    path, fitted = trained
    told = read_spec(path)
    assert told.settings == SETTINGS
    assert (told.store, told.resolved.batch) == (store.path.absolute(), 64)
    assert [line["step"] for line in read(path / "metrics.jsonl") if "valid" in line] == steps(path)
    assert len(list(path.glob("events.out.tfevents.*"))) == 1
    content = json.loads((path / "spec.json").read_text())
    assert from_json(content["resolved"]) == told.resolved
    assert fitted.valid["auc"] > 0.65


def test_a_run_opens_at_its_best_epoch_and_predicts_as_it_did(trained, store):
    path, fitted = trained
    run = open_run(path)
    assert (run.step, run.valid) == (fitted.step, fitted.valid)
    found = run.predictor.predictions(store.splits["valid"])
    assert found.group is not None
    rows = {
        "user": ["u1", "new"],
        "item": ["i2", None],
        "tags": ["t1|t2", ""],
        "price": [1.0, None],
    }
    probability = run.predictor.predict(rows)
    assert ((probability > 0) & (probability < 1)).all()


def test_raw_rows_are_scored_as_the_store_is(trained, store):
    path, _ = trained
    predictor = open_run(path).predictor
    log = store.path.parent / "events.csv"
    logit = np.concatenate([part.logit for part in predictor.score(log)])
    stored = [predictor.predictions(split).logit for split in store.splits.values()]
    np.testing.assert_allclose(np.sort(logit), np.sort(np.concatenate(stored)), atol=1e-5)


def test_a_finished_run_is_only_read_again(copy, store, trained):
    before = (copy / "metrics.jsonl").read_bytes()
    again = train_run(store, copy, SETTINGS)
    assert (again.step, again.valid) == (trained[1].step, trained[1].valid)
    assert (copy / "metrics.jsonl").read_bytes() == before


def test_a_run_may_train_longer(copy, store, trained):
    longer = dataclasses.replace(SETTINGS, epochs=4)
    fitted = train_run(store, copy, longer)
    assert fitted.last_step == trained[1].last_step // 3 * 4
    assert read_spec(copy).settings == longer


@pytest.mark.parametrize(
    ("change", "told"),
    [({"rate": 1.0}, "recipe.rows.optimizer.learning_rate is 0.05 there and 1.0 here"),
     ({"seed": 5}, "recipe.seed is 0 there and 5 here")],
)  # fmt: skip
def test_other_settings_in_the_same_directory_are_refused(trained, store, change, told):
    with pytest.raises(ValueError, match=f"holds a run of other settings .*{told}"):
        train_run(store, trained[0], dataclasses.replace(SETTINGS, **change))


def test_another_store_in_the_same_directory_is_refused(trained, tmp_path):
    other = imported(tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"holds a run of other settings .*store is"):
        train_run(other, trained[0], SETTINGS)


def test_checkpoints_of_something_else_are_not_gone_on_with(copy, store):
    (copy / "spec.json").unlink()
    with pytest.raises(ValueError, match=r"has checkpoints without a spec\.json: give another"):
        train_run(store, copy, SETTINGS)


def test_a_store_is_refused_where_its_rows_mean_something_else(trained, store, tmp_path):
    run = open_run(trained[0])
    schema, vocabularies = run.predictor.schema, run.predictor.vocabularies
    refuse_other_store(run.path, schema, vocabularies, store)
    features = (*SCHEMA.features[1:], Feature("user", default="nobody"))
    other = imported(tmp_path, dataclasses.replace(SCHEMA, features=features))
    with pytest.raises(
        ValueError, match=r'another schema .*user\.default is null there and "nobody"'
    ):
        refuse_other_store(run.path, schema, vocabularies, other)
    known = dict(vocabularies, item=vocabularies["user"])
    with pytest.raises(ValueError, match="the vocabulary of item is another"):
        refuse_other_store(run.path, schema, known, store)


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"A run has a spec\.json, and .* has none"):
        open_run(tmp_path)


def test_a_checkpoint_of_another_model_is_refused(copy):
    text = (copy / "spec.json").read_text()
    (copy / "spec.json").write_text(text.replace('"cross": 1', '"cross": 2'))
    with pytest.raises(
        ValueError, match=r"saved with another spec .*model\.cross is 1 there and 2"
    ):
        open_run(copy)


@pytest.mark.parametrize("edit", [("DCN", "Nothing"), ('"format": 1', '"format": 9'), ("{", "")])
def test_a_spoilt_spec_is_refused(copy, edit):
    text = (copy / "spec.json").read_text()
    (copy / "spec.json").write_text(text.replace(*edit))
    with pytest.raises(
        ValueError, match=r"spec\.json should say what a run was told, and does not"
    ):
        open_run(copy)


def test_edited_vocabularies_are_refused(copy):
    path = copy / "vocabularies.npz"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(ValueError, match=r"vocabularies\.npz should have the digest"):
        open_run(copy)


def test_a_full_disk_keeps_the_last_good_state(copy, store):
    last = steps(copy)[-1]
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    try:
        with pytest.raises(OSError, match="could not be written"):
            train_run(store, copy, dataclasses.replace(SETTINGS, epochs=6, patience=9))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert steps(copy)[-1] == last
    fitted = train_run(store, copy, dataclasses.replace(SETTINGS, epochs=4))
    assert fitted.last_step == last // 3 * 4


@pytest.mark.parametrize(
    ("label", "told"),
    [("price", "labels 0 and 1, and the train split of .* has "),
     ("click", "the valid split of .* has 3 examples of one class")],
)  # fmt: skip
def test_labels_that_nothing_can_be_learned_from_are_refused(tmp_path, label, told):
    path = tmp_path / "events.csv"
    rows = [f"u{n % 3},{n % 7},{n % 2}" for n in range(40)]
    path.write_text("user,price,click\n" + "\n".join(rows) + "\n")
    schema = Schema((Feature("user"),), label=label)
    import_files(path, schema, tmp_path / "events.store", split=LastThree())
    with pytest.raises(ValueError, match=told):
        train_run(Store.open(tmp_path / "events.store"), tmp_path / "run", SETTINGS)


class LastThree:
    """A split that gives three rows of one class to validation."""

    needs = ()
    wants_pass = False

    def plan(self) -> "LastThree":
        return self

    def observe(self, events, rows) -> None:
        return None

    def deal(self, events, rows) -> np.ndarray:
        return np.isin(rows, (1, 3, 5)).astype(np.uint8)
