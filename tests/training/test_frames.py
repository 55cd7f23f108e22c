"""Training in memory: columns in, a predictor out."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.training.frames import fit
from recsys.training.predictor import Predictor, columns_of
from recsys.training.settings import Settings
from tests.events import SCHEMA, write_events

pytestmark = pytest.mark.slow

SETTINGS = Settings(epochs=4, batch=64, model_options=("hidden=8",), rate=0.02, dense_rate=0.01)


def columns(folder: Path, rows: int, seed: int = 0) -> dict[str, list]:
    """Events as lists of text, numbers and dates by name."""
    with write_events(folder / "events.csv", rows, seed=seed).open() as file:
        read = list(csv.DictReader(file))
    found = {name: [row[name] for row in read] for name in read[0]}
    return {**found, "click": [int(click) for click in found["click"]]}


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> dict[str, list]:
    return columns(tmp_path_factory.mktemp("log"), 3000)


@pytest.fixture(scope="module")
def model(log) -> Predictor:
    return fit(log, SCHEMA, settings=SETTINGS)


def test_a_dict_of_columns_becomes_a_model_of_other_rows(model, tmp_path):
    other = columns(tmp_path, 1000, seed=1)
    found = model.evaluate(other)
    assert found["auc"] > 0.65
    assert {"logloss", "calibration", "grouped_auc"} < set(found)
    assert model.evaluate(other, ["auc"]) == {"auc": found["auc"]}


def test_every_row_gets_a_probability_whether_or_not_it_has_a_label(model, log):
    unlabelled = {name: column[:50] for name, column in log.items() if name != "click"}
    found = model.predict(unlabelled)
    assert found.dtype == np.float32
    assert ((found > 0) & (found < 1)).all()
    labelled = {name: column[:50] for name, column in log.items()}
    np.testing.assert_array_equal(found, model.predict(labelled))


def test_frames_of_other_libraries_are_read_alike(model, log):
    frame = pa.table({name: pa.array(column[:50]) for name, column in log.items()})
    plain = {name: column[:50] for name, column in log.items()}
    np.testing.assert_array_equal(model.predict(frame), model.predict(plain))


def test_what_has_no_columns_is_refused():
    with pytest.raises(TypeError, match="A frame has columns by name, got int"):
        columns_of(3)


def test_a_frame_without_its_label_is_refused(model, log):
    unlabelled = {name: column for name, column in log.items() if name != "click"}
    with pytest.raises(ValueError, match=r"wants columns \['click'\]"):
        fit(unlabelled, SCHEMA, settings=SETTINGS)
    with pytest.raises(ValueError, match="Evaluating needs the label 'click'"):
        model.evaluate(unlabelled)


def test_unseen_values_are_read_as_unknown(model):
    row = {"user": ["u-new"], "item": ["i-new"], "tags": ["t-new"], "price": [None]}
    other = {**row, "user": ["another"]}
    np.testing.assert_array_equal(model.predict(row), model.predict(other))
