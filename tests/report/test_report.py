"""The report of a run, and what is found inside its model."""

import dataclasses
import re

import numpy as np
import pytest
from flax import nnx

from recsys.data.importing import import_files
from recsys.data.store import Store
from recsys.embedding import Unified
from recsys.metrics import AUC
from recsys.models import DCN
from recsys.report import inspect, tables_of, write_report
from recsys.report.page import Page
from recsys.report.sensitivity import Masked, ablation, gradient_norms, numbers_mean
from recsys.report.text import Table, spelled
from recsys.tables import Hash
from recsys.training import Learner, predict
from recsys.training.run import Run, open_run, train_run
from recsys.training.settings import Settings
from tests.events import SCHEMA, write_events
from tests.toy import SCHEMA as TOY
from tests.toy import clicks

SETTINGS = Settings(epochs=2, batch=128, model_options=("hidden=8",), table="hash", budget="4KB")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """A log with two bad rows, imported."""
    folder = tmp_path_factory.mktemp("store")
    log = write_events(folder / "events.csv", 1500)
    with log.open("a") as file:
        file.write("2024-03-29 10:00:00,u1,<b>i2</b>,,1.0,maybe\n2024-03-29 10:00:00,u1\n")
    import_files(log, SCHEMA, folder / "events.store", vocabulary=None, on_bad_rows="skip")
    return Store.open(folder / "events.store")


@pytest.fixture(scope="module")
def run(tmp_path_factory, store) -> Run:
    path = tmp_path_factory.mktemp("runs") / "<run>"
    train_run(store, path, SETTINGS)
    return open_run(path)


@pytest.mark.slow
def test_the_report_is_one_file_that_shows_all_and_fetches_nothing(run, store):
    page = write_report(run, store).read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Learning curves",
        "Metrics of valid",
        "Calibration",
        "AUC by how often training saw a value",
        "Bytes by feature",
        "Data",
        "What was trained",
    ]
    sources = re.findall(r'src="([^"]{30})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "2 rows were rejected" in page


@pytest.mark.slow
def test_what_comes_from_data_is_escaped(run, store):
    page = write_report(run, store, split="test").read_text()
    assert "&lt;b&gt;i2&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "&lt;run&gt;" in page
    assert "Metrics of test" in page


@pytest.mark.slow
def test_an_inspection_finds_every_feature(run, store):
    found = inspect(run.predictor, train=store.splits["train"], examples=store.splits["valid"])
    names = [feature.name for feature in SCHEMA.features]
    assert set(found.gradient_norms) == set(found.auc_lost) == set(names)
    assert [row.feature for row in found.features] == ["user", "item", "tags"]
    assert sum(table.table_bytes for table in found.tables) <= 4000
    told = "\n".join(map(str, tables_of(found)))
    assert all(name in told for name in names)


@pytest.fixture(scope="module")
def learner() -> Learner:
    """A model that has learned nothing yet."""
    model = DCN(TOY, Unified(Hash(rows=100), 4), hidden=(8,))
    return Learner(lambda: model.build(rngs=nnx.Rngs(0)))


def test_a_hidden_feature_reads_nothing_and_a_hidden_number_is_the_mean():
    batch = clicks(50)
    mean = numbers_mean(batch)
    np.testing.assert_allclose(mean, batch.numbers.mean(axis=0), rtol=1e-5)
    hidden = Masked(batch, TOY, "tags", mean).take(slice(0, 50))
    assert not hidden.valid[:, TOY.span("tags")].any()
    assert hidden.valid[:, TOY.span("item")].all()
    hidden = Masked(batch, TOY, "hour", mean).take(np.arange(3))
    np.testing.assert_array_equal(hidden.numbers, np.broadcast_to(mean, (3, 1)))


@pytest.mark.slow
def test_ablation_is_the_auc_without_the_feature(learner):
    batch, state = clicks(300), learner.start()
    lost = ablation(learner, state, TOY, batch)
    mean = numbers_mean(batch)
    whole = AUC()(predict(learner, state, batch))
    without = AUC()(predict(learner, state, Masked(batch, TOY, "user", mean).take(slice(None))))
    assert lost["user"] == pytest.approx(whole - without)
    assert set(lost) == {"user", "item", "tags", "hour"}


@pytest.mark.slow
def test_the_gradient_norm_is_that_of_one_example(learner):
    state, one = learner.start(), clicks(1, seed=3)
    twice = one.take(np.array([0, 0]))
    found = gradient_norms(learner, state, TOY, one)
    assert found == pytest.approx(gradient_norms(learner, state, TOY, twice), rel=1e-4)

    def loss(move: float) -> float:
        moved = np.array(one.numbers) + np.float32(move)
        logit = np.asarray(learner.predict(state, dataclasses.replace(one, numbers=moved)))
        return float((np.logaddexp(0, logit) - one.label * logit)[0])

    assert found["hour"] == pytest.approx(abs(loss(0.05) - loss(-0.05)) / 0.1, rel=0.02)


def test_cells_are_spelled_for_people():
    cells = [None, True, 12_345, 0.123456, 12_345.6, "text"]
    assert [spelled(cell) for cell in cells] == ["-", "yes", "12,345", "0.1235", "12,346", "text"]


def test_a_table_as_text_has_its_numbers_on_the_right():
    table = Table("Sizes", ("name", "bytes"), [("a", 5), ("long", 12_345)])
    assert str(table) == "Sizes\nname   bytes\na          5\nlong  12,345"


def test_a_page_escapes_what_it_is_given():
    page = Page("<t>")
    page.heading("<h>")
    page.text("<p>&")
    page.code("<c>")
    page.table(Table("<e>", ("<f>",), [("<g>",)]))
    page.image(b"<svg/>", meaning='"<i>"')
    for raw in ("<t>", "<h>", "<p>&<", "<c>", "<e>", "<f>", "<g>", '"<i>"'):
        assert raw not in str(page)
