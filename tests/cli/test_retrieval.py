"""`recsys train --task retrieval`, `recommend` and `similar`, from a plain CSV and from a store."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.cli import main
from recsys.features import fingerprint
from recsys.losses import RETRIEVAL_LOSSES, CosineContrastive
from recsys.optim.schedules import Cosine
from recsys.release import Release
from recsys.retrieval.run import open_towers
from recsys.retrieval.settings import TowerSettings, resolve_towers
from recsys.retrieval.sources import store_for
from recsys.retrieval.user_batches import Sampling
from recsys.retrieval.vectors import embed
from recsys.towers.pooling import MeanDirection
from tests.cli.told import Told
from tests.retrieval.logs import write_log

pytestmark = pytest.mark.slow

SMALL = ["--task", "retrieval", "--dim", "4", "--epochs", "2", "--every", "1"]


@pytest.fixture
def told(capsys) -> Told:
    return Told(capsys)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A log without a label, and a run trained on it."""
    folder = tmp_path_factory.mktemp("log")
    log = str(write_log(folder / "log.csv", has_label=False))
    assert main(["train", log, "--out", str(folder / "run"), *SMALL]) == 0
    return folder


def test_a_plain_log_is_trained_on_and_asked(folder, told):
    printed = told.ok(
        "recommend", folder / "run", "--user", "u3", "u3", "-k", "3", "--exclude-seen"
    )
    assert printed.count("For user u3") == 1
    assert printed.count("Film ") == 3
    assert "was never seen" in told.ok("recommend", folder / "run", "--user", "42")
    printed = told.ok("similar", folder / "run", "--item", "Film 2", "7", "-k", "2")
    assert printed.count("Film ") == 5
    assert "Like 7" in printed


def test_loss_and_pooling_are_chosen_by_name(folder, told, tmp_path):
    chosen = ["--pooling", "mean_direction", "--loss", "cosine_contrastive"]
    options = ["--loss-options", "margin=0.8", "slack=0.01"]
    told.ok("train", folder / "log.csv", "--out", tmp_path / "run", *SMALL, *chosen, *options)
    model = open_towers(tmp_path / "run").resolved.model
    assert model.loss == CosineContrastive(margin=0.8, slack=0.01)
    assert (model.user.pooling, model.temperature) == (MeanDirection(), 1.0)
    assert "For user u3" in told.ok("recommend", tmp_path / "run", "--user", "u3", "-k", "3")


@pytest.mark.parametrize("name", RETRIEVAL_LOSSES)
def test_every_loss_is_made_of_its_name(folder, name):
    known = open_towers(folder / "run").known
    model = resolve_towers(TowerSettings(loss=name), known).model
    assert type(model.loss) is RETRIEVAL_LOSSES[name]
    assert getattr(model.loss, "items", len(known.items)) == len(known.items)


def test_sampling_is_chosen_by_options(folder, told, tmp_path):
    chosen = ["--targets", "2", "--sampling-options", "history=all", "turns=all", "weight=0"]
    told.ok("train", folder / "log.csv", "--out", tmp_path / "run", *SMALL, *chosen)
    run = open_towers(tmp_path / "run")
    resolved, counts = run.resolved, np.diff(run.known.train.indptr)
    assert resolved.sampling == Sampling(history="all", turns="all", weight=0.0, shift=0.2)
    assert resolved.model.targets == 2
    turns = sum(-(-count // 2) for count in counts.tolist() if count >= 2)
    assert resolved.recipe.schedule == Cosine(2 * (turns // resolved.batch))


@pytest.mark.parametrize(
    ("option", "wanted"),
    [("hard=-1", "hard of at least 0"), ("hard=99", "got hard=99"), ("turns=two", "of one, all")],
)
def test_sampling_that_cannot_be_is_refused_and_leaves_no_run(
    folder, told, tmp_path, option, wanted
):
    log, asked = folder / "log.csv", [*SMALL, "--sampling-options", option]
    assert wanted in told.wrong("train", log, "--out", tmp_path / "run", *asked)
    assert not (tmp_path / "run" / "spec.json").exists()


def test_a_temperature_of_zero_is_refused(folder):
    known = open_towers(folder / "run").known
    with pytest.raises(ValueError, match="a temperature above 0"):
        resolve_towers(TowerSettings(temperature=0.0), known)


def test_an_option_that_a_loss_does_not_have_is_refused(folder, told, tmp_path):
    asked = ["--loss-options", "margin=0.5"]
    printed = told.wrong("train", folder / "log.csv", "--out", tmp_path / "run", *SMALL, *asked)
    assert "Softmax takes options as NAME=VALUE, got 'margin=0.5'" in printed


def test_a_run_becomes_a_release_whose_vectors_are_the_runs(folder, told, tmp_path):
    out = tmp_path / "release"
    printed = told.ok("export", folder / "run", "--out", out, "--platforms", "cpu")
    assert f"Next: recsys serve {out}" in printed
    release, run = Release.open(out), open_towers(folder / "run")
    offline = embed(run.resolved.model, run.state, run.sides)
    np.testing.assert_allclose(release.item_vectors, offline.item, atol=1e-5)
    (number,) = run.known.user(fingerprint(["u3"]))
    user = release.users(release.encode([{"user": "u3"}]).batch)
    np.testing.assert_allclose(user[0], offline.user[number], atol=1e-5)
    assert sorted(release.seen("u3")) == run.known.seen[[number]].indices.tolist()
    assert release.items is not None
    assert release.items.get(0)["title"].startswith("Film ")


def test_a_finished_run_is_read_again(folder, told):
    before = sorted(path.name for path in (folder / "run").iterdir())
    printed = told.ok("train", folder / "log.csv", "--out", folder / "run", *SMALL)
    assert "Next: recsys recommend" in printed
    assert "recall@20" in printed
    assert sorted(path.name for path in (folder / "run").iterdir()) == before


def test_a_store_of_such_a_log_is_trained_on_where_it_is(folder, told, tmp_path):
    log = shutil.copy(folder / "log.csv", tmp_path / "log.csv")
    told.ok("data", "describe", log)
    assert 'title = "title"' in (tmp_path / "log.schema.toml").read_text()
    told.ok("data", "import", log, "--split", "leave_last_out")
    store = store_for(str(tmp_path / "log.store"), tmp_path / "run", folder=tmp_path)
    assert store.path == tmp_path / "log.store"
    assert store.catalogue.titles is not None
    assert not (tmp_path / "run").exists()


def test_a_run_is_measured_on_a_split_of_its_log(folder, told, tmp_path):
    run, out = folder / "run", tmp_path / "metrics.json"
    printed = told.ok("evaluate", run, "--split", "valid", "--out", out)
    found = json.loads(out.read_text())
    low, high = found["intervals"]["recall@20"]
    assert low <= found["metrics"]["recall@20"] <= high
    assert found["metrics"]["recall@20"] == pytest.approx(open_towers(run).valid["recall@20"])
    cells = ("recall@20", *(f"{value:.4f}" for value in (found["metrics"]["recall@20"], low, high)))
    assert cells in [tuple(line.split()) for line in printed.splitlines()]
    assert "mrr@20" not in told.ok("evaluate", run, "--metrics", "ndcg@10")


def test_towers_are_not_measured_as_click_models(folder, told):
    run = folder / "run"
    assert "use one of ['valid', 'test']" in told.wrong("evaluate", run, "--split", "tomorrow")
    assert "Unknown ranking metric 'auc'" in told.wrong("evaluate", run, "--metrics", "auc")
    assert "leave out kept" in told.wrong("evaluate", run, "--kept", "0.5")


def test_runs_of_another_task_are_refused(folder, told):
    assert "another task than clicks" in told.wrong("predict", folder / "run", folder / "log.csv")


def test_a_store_without_a_label_is_no_click_log(folder, told, tmp_path):
    store = folder / "run" / "data.store"
    assert "train with --task retrieval" in told.wrong("train", store, "--out", tmp_path / "run")


def test_a_log_that_has_changed_is_refused(folder, told, tmp_path):
    run, log = tmp_path / "run", tmp_path / "log.csv"
    shutil.copytree(folder / "run", run)
    shutil.copy(folder / "log.csv", log)
    assert "holds a run of other data" in told.wrong("train", log, "--out", run, *SMALL)


def test_each_task_explains_its_own_options(capsys):
    for task, option in (("clicks", "--model-options"), ("retrieval", "--item-features")):
        with pytest.raises(SystemExit):
            main(["train", "--task", task, "--help"])
        assert option in capsys.readouterr().out


def test_a_log_that_says_not_who_met_what_is_refused(told, tmp_path):
    (tmp_path / "log.csv").write_text(
        "a,click\n" + "".join(f"x{n % 5},{n % 2}\n" for n in range(20))
    )
    printed = told.wrong("train", tmp_path / "log.csv", "--out", tmp_path / "run", *SMALL)
    assert "names user=None and item=None" in printed
