"""The command line, from a raw file to predictions: what it prints, writes and refuses."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.cli import main
from recsys.release import Release
from recsys.tables import METHODS
from recsys.training.run import open_run
from tests.cli.told import Told
from tests.events import write_events

pytestmark = pytest.mark.slow

SMALL = ["--epochs", "3", "--batch", "128", "--model-options", "hidden=8", "--no-verify"]


@pytest.fixture
def told(capsys) -> Told:
    return Told(capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A raw log, described, imported and trained on; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("log")
    log = write_events(folder / "events.csv", 2500)
    assert main(["data", "describe", str(log)]) == 0
    assert main(["data", "import", str(log)]) == 0
    store, run = folder / "events.store", folder / "run"
    assert main(["train", str(store), "--out", str(run), *SMALL]) == 0
    return folder


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    """The folder, to be changed; its run still names the first store."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_file_becomes_a_schema_a_store_and_a_run(folder):
    assert (folder / "events.schema.toml").read_text().count("[features.") >= 4
    assert (folder / "events.store" / "manifest.json").is_file()
    assert (folder / "run" / "report.html").read_text().startswith("<!doctype html>")


def test_the_commands_say_what_comes_next(folder, told, tmp_path, monkeypatch):
    log = shutil.copy(folder / "events.csv", tmp_path / "log.csv")
    monkeypatch.chdir(tmp_path)
    described = told.ok("data", "describe", log)
    assert "2,500 rows" in described
    assert f"Next: recsys data import {log}" in described
    imported = told.ok("data", "import", log, "--split-options", "valid=0.05", "test=0.05")
    assert "Next: recsys train" in imported
    trained = told.ok("train", tmp_path / "log.store", *SMALL)
    assert "Next: recsys evaluate runs/log" in trained
    assert Path("runs/log/report.html").is_file()


def test_a_trained_model_is_evaluated_on_its_test_split(folder, told, tmp_path):
    out = tmp_path / "metrics.json"
    printed = told.ok("evaluate", folder / "run", "--out", out)
    found = json.loads(out.read_text())["metrics"]
    assert 0.55 < found["auc"] < 1
    assert f"auc {found['auc']:.4f}" in " ".join(printed.split())
    assert {"logloss", "normalised_entropy", "calibration", "grouped_auc"} < set(found)
    only = told.ok("evaluate", folder / "run", "--metrics", "logloss", "--split", "valid")
    assert "auc" not in only


def test_raw_files_are_evaluated_with_the_schema_of_the_run(folder, told, tmp_path):
    log = write_events(tmp_path / "new.csv", 500, seed=2)
    printed = told.ok("evaluate", folder / "run", log)
    assert "examples 500" in " ".join(printed.split())


def test_predictions_of_thinned_out_training_are_corrected(folder, told, tmp_path):
    odds = []
    for kept in ("1", "0.5"):
        out = tmp_path / f"{kept}.csv"
        told.ok("predict", folder / "run", folder / "events.csv", "--out", out, "--kept", kept)
        with out.open() as file:
            probability = np.array([float(row["probability"]) for row in csv.DictReader(file)])
        odds.append(probability / (1 - probability))
    np.testing.assert_allclose(odds[1], odds[0] / 2, rtol=1e-4)


def test_every_raw_row_gets_a_probability_in_its_order(folder, told, tmp_path):
    unlabelled = tmp_path / "new.csv"
    lines = (folder / "events.csv").read_text().splitlines()
    unlabelled.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in lines[:301]))
    out = tmp_path / "predictions.csv"
    printed = told.ok("predict", folder / "run", unlabelled, "--out", out, "--columns", "user")
    assert "300 rows" in printed
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["line"] for row in rows] == [str(number) for number in range(2, 302)]
    assert [row["user"] for row in rows] == [line.split(",")[1] for line in lines[1:301]]
    assert all(0 < float(row["probability"]) < 1 for row in rows)


def test_a_model_is_looked_into(folder, told):
    printed = told.ok("inspect", folder / "run")
    for title in ("Bytes by table", "Bytes by feature", "Share of values", "AUC lost"):
        assert title in printed


def test_a_run_becomes_a_release_that_answers_as_the_run_predicts(folder, told, tmp_path):
    out = tmp_path / "release"
    printed = told.ok("export", folder / "run", "--out", out, "--platforms", "cpu")
    assert f"Next: recsys serve {out}" in printed
    release, run = Release.open(out), open_run(folder / "run")
    rows = [{"user": "u1", "item": "i2", "tags": "t1|t2", "price": "1.5"}, {"user": "u2"}]
    wanted = run.predictor.predict(
        {
            name: [row.get(name) for row in rows]
            for name in release.schema.columns
            if name != "click"
        }
    )
    np.testing.assert_allclose(release.predict(release.encode(rows).batch), wanted, atol=1e-5)
    assert release.manifest["quality"]["metrics"] == run.valid
    assert release.manifest["data"]["window"] is not None
    again = tmp_path / "again"
    told.ok("export", out, "--rebuild", "--out", again, "--platforms", "cpu")
    assert Release.open(again).manifest["parent"] == release.id
    assert "is there already" in told.wrong("export", folder / "run", "--out", out)
    assert "manifest.json" in told.wrong("export", folder / "run", "--rebuild")


def test_the_same_command_reads_a_finished_run_again(copy, told):
    before = (copy / "run" / "metrics.jsonl").read_bytes()
    told.ok("train", copy / "events.store", "--out", copy / "run", *SMALL)
    assert (copy / "run" / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (["train", "s", "--table", "hush"], "'hash'"),
        (["train", "s", "--model", "none"], "'dcn'"),
        (["train", "s", "--layout", "none"], "'per-feature'"),
        (["train", "s", "--schedule", "none"], "'cosine'"),
        (["evaluate", "r", "--metrics", "none"], "'logloss'"),
        (["data", "import", "f", "--split", "none"], "'leave_last_out'"),
        (["data", "import", "f", "--on-bad-rows", "none"], "'skip'"),
        (["strain"], "train"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(told, arguments, known):
    assert known in told.misspelt(*arguments)


def test_unknown_names_inside_a_command_list_the_known_ones(folder, told):
    train = ["train", folder / "events.store", "--out", folder / "other"]
    assert "known names are cross, hidden" in told.wrong(*train, "--model-options", "deep=3")
    assert "has no split 'best': known are train, valid, test" in told.wrong(
        "evaluate", folder / "run", "--split", "best"
    )
    options = ["--split-options", "share=1", "--out", folder / "other.store"]
    told_of = told.wrong("data", "import", folder / "events.csv", *options)
    assert "known names are valid, test, seed" in told_of


def test_every_command_explains_itself(capsys):
    commands = (["data", "describe"], ["data", "import"], ["train"], ["evaluate"], ["predict"])
    for command in (*commands, ["inspect"], ["export"], []):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--help"])
        assert ended.value.code == 0
        assert "--help" in capsys.readouterr().out


def test_the_shell_can_complete_names(capsys):
    with pytest.raises(SystemExit):
        main(["--tyro-print-completion", "bash"])
    script = capsys.readouterr().out
    assert all(name in script for name in (*METHODS, "evaluate", "--model-options"))


def test_a_schema_that_was_edited_is_not_written_over(folder, told):
    log = folder / "events.csv"
    assert "is there already" in told.wrong("data", "describe", log)
    assert "The schema is in" in told.ok("data", "describe", log, "--overwrite")


def test_files_that_are_not_there_are_named(folder, told, tmp_path):
    gone = tmp_path / "gone.csv"
    assert str(gone) in told.wrong("data", "describe", gone)
    assert "gone.schema.toml" in told.wrong("data", "import", gone)
    assert "manifest.json" in told.wrong("train", tmp_path / "gone.store")
    assert "spec.json" in told.wrong("evaluate", tmp_path / "gone")
    assert str(gone) in told.wrong("predict", folder / "run", gone)
    assert "is there already" in told.wrong("data", "import", folder / "events.csv")


def test_a_bad_row_stops_an_import_or_is_kept_apart(folder, told, tmp_path):
    log = tmp_path / "bad.csv"
    rows = (folder / "events.csv").read_text() + "2024-03-30 12:00:00,u1,i1,,1.0,\nu1,i1\n"
    log.write_text(rows)
    arguments = ["data", "import", log, "--schema", folder / "events.schema.toml"]
    assert "bad.csv, line 2502" in told.wrong(*arguments)
    printed = told.ok(*arguments, "--on-bad-rows", "skip")
    assert "2 rows were rejected" in printed
    kept = (tmp_path / "bad.store" / "rejected.jsonl").read_text().splitlines()
    places = [(row["unit"], row["place"]) for row in map(json.loads, kept)]
    assert places == [("line", 2502), ("line", 2503)]


def test_a_bad_row_stops_predictions_or_is_kept_apart(folder, told, tmp_path):
    log, out = tmp_path / "bad.csv", tmp_path / "out.csv"
    rows = (folder / "events.csv").read_text().splitlines()[:11]
    log.write_text("\n".join([*rows, "2024-03-30 12:00:00,u1,i1,,dear,0"]) + "\n")
    arguments = ["predict", folder / "run", log, "--out", out]
    assert "line 12" in told.wrong(*arguments)
    assert not out.exists()
    printed = told.ok(*arguments, "--on-bad-rows", "skip")
    assert "10 rows" in printed
    assert "1 rows were rejected" in printed
    assert len(out.read_text().splitlines()) == 11


def test_an_edited_store_is_refused(copy, told):
    path = next((copy / "events.store" / "train").glob("examples*"))
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    for command in (
        ["train", copy / "events.store"],
        ["evaluate", copy / "run", copy / "events.store"],
    ):
        told_of = told.wrong(*command)
        assert "was edited" in told_of
        assert path.name in told_of


def test_another_schema_is_refused_at_evaluation(folder, told, tmp_path):
    schema = tmp_path / "other.schema.toml"
    text = (folder / "events.schema.toml").read_text()
    schema.write_text(text.replace("[features.user]", '[features.user]\ndefault = "nobody"'))
    out = tmp_path / "other.store"
    told.ok("data", "import", folder / "events.csv", "--schema", schema, "--out", out)
    told_of = told.wrong("evaluate", folder / "run", out)
    assert 'user.default is null there and "nobody" here' in told_of


def test_other_settings_need_another_directory(folder, told):
    arguments = ["train", folder / "events.store", "--out", folder / "run", *SMALL]
    assert "another directory" in told.wrong(*arguments, "--rate", "0.5")


def test_a_store_that_is_gone_is_named(copy, told):
    text = (copy / "run" / "spec.json").read_text()
    spec = json.loads(text)
    spec["store"]["path"] = str(copy / "moved.store")
    (copy / "run" / "spec.json").write_text(json.dumps(spec))
    assert "is no longer there" in told.wrong("evaluate", copy / "run")
    told.ok("evaluate", copy / "run", copy / "events.store")
