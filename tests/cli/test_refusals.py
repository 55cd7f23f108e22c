"""What the command line says of data and runs that it cannot use: one sentence; nothing is lost."""

import json
import resource
import shutil
from pathlib import Path

import pytest

from recsys.checkpoint import steps
from recsys.cli import main
from tests.cli.told import Told
from tests.events import write_events

pytestmark = pytest.mark.slow

SMALL = ["--epochs", "2", "--batch", "128", "--model-options", "hidden=8", "--no-verify"]
HEAD = "time,user,item,tags,price,click\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A log, its store, and a run; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("log")
    log = str(write_events(folder / "events.csv", 1500))
    assert main(["data", "describe", log]) == 0
    assert main(["data", "import", log]) == 0
    assert main(["train", str(folder / "events.store"), "--out", str(folder / "run"), *SMALL]) == 0
    return folder


@pytest.fixture
def told(capsys) -> Told:
    return Told(capsys)


def test_a_log_of_one_class_is_refused(folder, told, tmp_path):
    log = tmp_path / "quiet.csv"
    rows = (folder / "events.csv").read_text().splitlines()[1:]
    log.write_text(HEAD + "\n".join(row for row in rows if row.endswith("0")))
    schema = ["--schema", folder / "events.schema.toml"]
    assert "'click' wants two classes or more" in told.wrong("data", "import", log, *schema)
    assert "AUC needs clicks and non-clicks" in told.wrong("evaluate", folder / "run", log)
    assert "logloss" in told.ok("evaluate", folder / "run", log, "--metrics", "logloss")


def test_a_missing_label_is_named_with_its_line(folder, told, tmp_path):
    log = tmp_path / "gap.csv"
    log.write_text(f"{HEAD}2024-03-01 12:00:00,u1,i1,,1.0,1\n2024-03-01 12:01:00,u1,i2,,1.0,\n")
    for command in (
        ["data", "import", log, "--schema", folder / "events.schema.toml"],
        ["evaluate", folder / "run", log],
    ):
        assert "gap.csv, line 3: column 'click' wants a number" in told.wrong(*command)
    told.ok("predict", folder / "run", log, "--out", tmp_path / "out.csv")


def test_a_column_that_is_not_there_is_named(folder, told, tmp_path):
    log = tmp_path / "narrow.csv"
    log.write_text("time,user,item,tags,price\n2024-03-01 12:00:00,u1,i1,,1.0\n")
    assert "click" in told.wrong("evaluate", folder / "run", log)
    log.write_text("time,user,tags,price,click\n2024-03-01 12:00:00,u1,,1.0,1\n")
    assert "item" in told.wrong("predict", folder / "run", log)


def test_a_checkpoint_of_another_model_is_refused(folder, told, tmp_path):
    copy = Path(shutil.copytree(folder / "run", tmp_path / "run"))
    text = (copy / "spec.json").read_text()
    (copy / "spec.json").write_text(text.replace('"cross": 1', '"cross": 2'))
    assert "model.cross is 1 there and 2 here" in told.wrong("evaluate", copy)
    again = ["train", folder / "events.store", "--out", copy, *SMALL]
    assert "holds a run of other settings (model.cross" in told.wrong(*again)
    (copy / "spec.json").unlink()
    assert "has checkpoints without a spec.json" in told.wrong(*again)


def test_a_full_disk_keeps_the_last_good_state(folder, told, tmp_path):
    copy = Path(shutil.copytree(folder / "run", tmp_path / "run"))
    longer = ["train", folder / "events.store", "--out", copy, *SMALL, "--epochs", "3"]
    before, (_, most) = steps(copy), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
    try:
        assert "those before it are whole: make room, and go on from there" in told.wrong(*longer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert steps(copy) == before
    told.ok("evaluate", copy, "--no-verify")
    told.ok(*longer)
    assert len(steps(copy)) == len(before) + 1


def test_a_budget_below_the_floor_is_refused(folder, told):
    train = ["train", folder / "events.store", "--out", folder / "never", "--table"]
    assert "MDE needs at least" in told.wrong(*train, "mde", "--budget", "1%")
    assert "Full needs at least 100% of the full table" in told.wrong(
        *train, "full", "--budget", "50%"
    )
    assert not (folder / "never").exists()


def test_settings_that_make_no_sense_are_refused(folder, told):
    train = ["train", folder / "events.store", "--out", folder / "never"]
    assert "A budget is a size as 64KB" in told.misspelt(*train, "--budget", "lots")
    assert "Settings want lookups, dim, batch" in told.misspelt(*train, "--batch", 0)


def test_a_report_of_raw_files_is_refused(folder, told):
    told_of = told.wrong("evaluate", folder / "run", folder / "events.csv", "--report")
    assert "leave out --report" in told_of


def test_more_devices_than_there_are_is_refused(folder, told):
    assert "This machine has" in told.wrong("evaluate", folder / "run", "--devices", "4096")


def test_a_run_without_a_checkpoint_is_refused(folder, told, tmp_path):
    for name in ("spec.json", "vocabularies.npz"):
        shutil.copy(folder / "run" / name, tmp_path / name)
    assert "should hold a checkpoint and has none" in told.wrong("evaluate", tmp_path)


def test_the_metrics_of_a_refused_evaluation_are_not_written(folder, told, tmp_path):
    out = tmp_path / "metrics.json"
    assert "has no split 'best'" in told.wrong(
        "evaluate", folder / "run", "--split", "best", "--out", out
    )
    assert not out.exists()
    told.ok("evaluate", folder / "run", "--out", out)
    assert json.loads(out.read_text())["step"] > 0
