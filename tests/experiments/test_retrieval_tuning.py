"""Tuning: which setting wins, and that the baselines are those that won."""

import dataclasses

import pytest

from experiments.results import Record, load
from experiments.retrieval.baselines import SETTINGS
from experiments.retrieval.tuning import GRIDS, Tuning, tune, winners
from recsys.data.datasets import INTERACTIONS
from recsys.retrieval.baselines import EASE
from tests.retrieval.drawn import interactions

RUN = Record(data="gowalla", model="ease", training="one", metrics={"recall@20": 0.1})
RECORDS = load("retrieval_tuning")


def test_the_setting_that_found_most_wins():
    better = dataclasses.replace(RUN, training="two", metrics={"recall@20": 0.2})
    other = dataclasses.replace(RUN, model="gfcf", training="three")
    assert winners([RUN, better, other]) == {
        ("gowalla", "ease"): "two",
        ("gowalla", "gfcf"): "three",
    }


@pytest.mark.parametrize(("data", "model"), winners(RECORDS))
def test_a_baseline_is_the_winner_of_its_grid(data, model):
    assert str(SETTINGS[data][model]) == winners(RECORDS)[data, model]


@pytest.mark.parametrize("data", GRIDS)
def test_every_setting_of_a_grid_was_measured_on_validation(data):
    wanted = {str(spec) for grid in GRIDS[data].values() for spec in grid}
    found = {record.training for record in RECORDS if record.data == data}
    assert wanted <= found
    assert {record.split for record in RECORDS} == {"validation"}


def test_what_is_measured_already_is_not_measured_again(monkeypatch, tmp_path):
    monkeypatch.setitem(INTERACTIONS, "gowalla", lambda folder: interactions())
    monkeypatch.setitem(GRIDS, "gowalla", {"ease": (EASE(l2=1.0), EASE(l2=2.0))})
    choice = Tuning(data=("gowalla",))
    tune(choice, results=tmp_path)
    first = load("retrieval_tuning", folder=tmp_path)
    tune(choice, results=tmp_path)
    assert [record.training for record in first] == ["EASE(l2=1.0)", "EASE(l2=2.0)"]
    assert load("retrieval_tuning", folder=tmp_path) == first
