"""Importing: what reading and encoding give by hand, in the splits asked for, or nothing at all."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from recsys.data.formats import text
from recsys.data.importing import import_files
from recsys.data.reading import pieces
from recsys.data.splits import SPLITS, GlobalTime, LeaveLastOut, Random, Split
from recsys.features import Feature, Schema
from recsys.features.transforms import Buckets, Standardise
from tests.data.logs import ALL_TRAIN, ROWS, SCHEMA, columns_of, import_log, log, write


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean log; tests read it only."""
    return write(tmp_path_factory.mktemp("raw") / "log.csv", log())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come in many chunks."""
    monkeypatch.setattr(text, "BLOCK_BYTES", 4_000)


@pytest.mark.usefixtures("small_blocks")
def test_a_store_holds_what_the_schema_makes_of_the_rows(raw, tmp_path):
    report, store = import_log(raw, tmp_path / "store", split=ALL_TRAIN)
    wanted = SCHEMA.encode(columns_of(log()))
    found = store.splits["train"].take(slice(None))
    for name in ("high", "low", "valid", "numbers", "label", "weight"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    train = store.splits["train"]
    np.testing.assert_array_equal(train.keys("user"), SCHEMA.keys("user", columns_of(log())))
    np.testing.assert_array_equal(train.timestamps, SCHEMA.timestamps(columns_of(log())))
    assert report.examples == {"train": ROWS}
    assert report.labels["train"] == pytest.approx(wanted.label.mean())
    assert (report.rejected, report.left_out, report.passes) == (0, 0, 1)
    assert store.manifest["report"]["examples"] == {"train": ROWS}


@pytest.mark.parametrize("split", [kind() for kind in SPLITS.values()], ids=list(SPLITS))
def test_every_split_deals_out_a_log(raw, tmp_path, split):
    report, store = import_log(raw, tmp_path / "store", split=split)
    assert set(store.splits) == {"train", "valid", "test"}
    assert sum(len(examples) for examples in store.splits.values()) == ROWS
    assert report.passes == 1 + split.plan().wants_pass


@pytest.mark.slow
@pytest.mark.parametrize("split", [Random(), GlobalTime(), LeaveLastOut()], ids=type)
def test_a_store_does_not_depend_on_how_the_log_is_cut(raw, tmp_path, split, monkeypatch):
    files = []
    for name, size in (("whole", 2**20), ("cut", 3_000)):
        monkeypatch.setattr(text, "BLOCK_BYTES", size)
        assert (len(list(pieces(raw))) > 10) == (name == "cut")
        _, store = import_log(raw, tmp_path / name, split=split, vocabulary=["movie"])
        files.append(store.manifest["files"])
    assert files[0] == files[1]


def test_many_files_are_one_log(raw, tmp_path):
    rows = log()
    for part in range(4):
        write(tmp_path / f"part-{part}.csv", rows[part * 500 : (part + 1) * 500])
    _, one = import_log(raw, tmp_path / "one")
    report, many = import_log(str(tmp_path / "part-*.csv"), tmp_path / "many")
    assert one.manifest["files"] == many.manifest["files"]
    assert [Path(file).name for file in report.files] == [f"part-{part}.csv" for part in range(4)]


def test_types_of_parquet_and_json_make_the_same_store_as_text(raw, tmp_path):
    rows = [
        row | {"movie": int(row["movie"]), "label": int(row["label"])}
        | {"age": int(row["age"]) if row["age"] else None}
        for row in log()
    ]  # fmt: skip
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "log.parquet")
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _, wanted = import_log(raw, tmp_path / "csv")
    for name in ("log.parquet", "log.jsonl"):
        _, store = import_log(tmp_path / name, tmp_path / f"store-{name}")
        assert store.manifest["files"] == wanted.manifest["files"]


@pytest.mark.slow
@pytest.mark.usefixtures("small_blocks")
def test_only_training_rows_are_learned_from(raw, tmp_path):
    features = [
        Feature("movie"),
        Feature("user"),
        Feature("age", kind="numeric", transform=Standardise()),
        Feature("time", kind="numeric", transform=Buckets(8), date_format="%Y-%m-%d %H:%M:%S"),
    ]
    schema = Schema(tuple(features), timestamp="time")
    report, store = import_log(
        raw, tmp_path / "store", schema=schema, split=GlobalTime(), vocabulary=["movie"]
    )
    train = [row for row in log() if row["time"] < "2024-01-17"]
    assert report.examples["train"] == len(train)
    assert report.passes == 3
    wanted, vocabularies = schema.with_vocabularies(columns_of(train), ["movie"])
    # The mean of many chunks is rounded elsewhere than that of one.
    learned = {feature.name: feature for feature in store.schema.features}
    for feature in wanted.features:
        if feature.name != "age":
            assert learned[feature.name] == feature
    transforms = [learned["age"].transform, wanted.features[2].transform]
    means = [transform.mean for transform in transforms if isinstance(transform, Standardise)]
    assert means == [pytest.approx(means[0])] * 2
    assert set(store.vocabularies) == {"movie"}
    for name, array in vocabularies["movie"].to_arrays().items():
        np.testing.assert_array_equal(store.vocabularies["movie"].to_arrays()[name], array)
    everything = store.schema.encode(columns_of(train), store.vocabularies)
    np.testing.assert_array_equal(store.splits["train"].take(slice(None)).low, everything.low)


def test_ranks_may_stand_in_a_file_of_text(tmp_path):
    raw = write(tmp_path / "log.csv", log(50))
    schema = Schema((Feature("movie", values=30),))
    _, store = import_log(raw, tmp_path / "store", schema=schema, split=ALL_TRAIN)
    found = store.splits["train"].take(slice(None))
    assert found.low[:, 0].tolist() == [int(row["movie"]) for row in log(50)]
    assert not found.high.any()
    rows = [row | {"movie": "30"} if at == 2 else row for at, row in enumerate(log(50))]
    says = r"bad\.csv, line 4: column 'movie' wants ranks from 0 to 29, .* got '30'"
    with pytest.raises(ValueError, match=says):
        import_files(write(tmp_path / "bad.csv", rows), schema, tmp_path / "other")


def test_a_split_is_any_of_the_registry():
    assert all(isinstance(kind(), Split) for kind in SPLITS.values())
