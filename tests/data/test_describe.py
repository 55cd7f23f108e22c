"""Describing a log: what it prints and writes is what is there, and can be imported as it is."""

import json
from pathlib import Path

import numpy as np
import pytest

from recsys.data.describe import describe
from recsys.data.formats import text
from recsys.data.importing import import_files
from recsys.features.schema_file import read
from recsys.features.transforms import Log1p, Standardise
from tests.events import write_events


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of which one row cannot be read."""
    path = write_events(tmp_path_factory.mktemp("log") / "events.csv", 1_000)
    path.write_bytes(path.read_bytes() + b"2024-03-29 10:00:00,u1\n")
    return path


def test_a_log_is_described_by_what_its_columns_hold(log):
    found = describe(log)
    assert (found.rows, found.rejected) == (1_000, 1)
    columns = {each.name: each for each in found.columns}
    assert {name: each.guess.kind for name, each in columns.items()} == {
        "time": "date",
        "user": "categorical",
        "item": "categorical",
        "tags": "bag",
        "price": "numeric",
        "click": "categorical",
    }
    rows = [line.split(",") for line in log.read_text().splitlines()[1:1001]]
    users = [row[1] for row in rows]
    most = max(set(users), key=users.count)
    assert columns["user"].values == str(len(set(users)))
    assert columns["user"].head.startswith(f"'{most}' {users.count(most) / 1_000:.1%}, ")
    assert columns["price"].missing == f"{sum(not row[4] for row in rows) / 1_000:.1%}"
    once = sum(users.count(user) == 1 for user in set(users)) / len(set(users))
    assert columns["user"].once == f"{once:.1%}"
    shown = str(found)
    assert "events.csv: 1,000 rows, and 1 that could not be read, 6 columns" in shown
    assert all(name in shown for name in columns)


def test_the_schema_says_what_every_column_is_for(log):
    schema = describe(log).schema
    assert (schema.label, schema.user, schema.item) == ("click", "user", "item")
    assert (schema.timestamp, schema.date_format) == ("time", "iso")
    features = {feature.name: feature for feature in schema.features}
    assert list(features) == ["user", "item", "tags", "price"]
    assert (features["tags"].separator, features["tags"].length) == ("|", 3)
    assert features["price"].transform == Standardise(of=Log1p())


def test_the_file_of_the_schema_is_read_and_imported_as_it_is(log, tmp_path):
    found = describe(log)
    found.write(tmp_path / "events.schema.toml")
    schema = read(tmp_path / "events.schema.toml")
    assert schema == found.schema
    written = (tmp_path / "events.schema.toml").read_text()
    assert "values, " in written
    assert "of rows missing" in written
    report = import_files(log, schema, tmp_path / "store", on_bad_rows="skip", vocabulary=None)
    assert (sum(report.examples.values()), report.rejected) == (1_000, 1)


def test_it_does_not_matter_how_the_log_is_cut(log, monkeypatch):
    whole = str(describe(log))
    monkeypatch.setattr(text, "BLOCK_BYTES", 9_000)
    assert str(describe(log)) == whole


def test_types_of_a_format_are_understood(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "history": rng.integers(0, 9, 3).tolist(),
            "price": float(rng.random()),
            "member_id": int(rng.integers(10**6)),
            "liked": bool(rng.random() < 0.5),
        }
        for _ in range(200)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = describe(tmp_path / "log.jsonl")
    kinds = {each.name: each.guess.kind for each in found.columns}
    assert (kinds["history"], kinds["price"]) == ("sequence", "numeric")
    assert (found.schema.label, found.schema.user) == ("liked", "member_id")


@pytest.mark.parametrize(
    ("content", "label", "says"),
    [
        ("a,b\n1,2,3\n", None, "line 1: a log wants rows that can be read, got none"),
        ("a,b\n1,2\n", "c", "No column 'c' to predict: there are a, b"),
    ],
)
def test_what_cannot_be_described_is_refused(tmp_path, content, label, says):
    (tmp_path / "log.csv").write_text(content)
    with pytest.raises(ValueError, match=says):
        describe(tmp_path / "log.csv", label=label)


def test_a_log_without_a_label_says_so_where_the_schema_is_asked_for(tmp_path):
    (tmp_path / "log.csv").write_text("a,b\n" + "".join(f"x{n},y{n % 3}\n" for n in range(9)))
    found = describe(tmp_path / "log.csv")
    assert "9 rows" in str(found)
    with pytest.raises(ValueError, match="one column to predict, and any of a, b may be it"):
        _ = found.schema
