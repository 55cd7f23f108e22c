"""Importing: what reading and encoding give by hand, in the splits asked for, or nothing at all."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from recsys.data.formats import text
from recsys.data.importing import ImportReport, import_files
from recsys.data.reading import Source, pieces
from recsys.data.splits import SPLITS, GlobalTime, LeaveLastOut, Random, Split
from recsys.data.store import Store
from recsys.features import Feature, Schema
from recsys.features.transforms import Buckets, Standardise

ROWS = 2_000
SCHEMA = Schema(
    (
        Feature("user"),
        Feature("movie"),
        Feature("genres", kind="bag", length=3, separator="|"),
        Feature("age", kind="numeric"),
        Feature("pair", cross=("user", "movie")),
    ),
    user="user",
    item="movie",
    timestamp="time",
)
ALL_TRAIN = Random(valid=0.0, test=0.0)
NAMES = ("user", "movie", "genres", "age", "time", "label")


def log(rows: int = ROWS, seed: int = 0) -> list[dict[str, str]]:
    """Events as text, some cells of them empty."""
    rng = np.random.default_rng(seed)
    return [
        {
            "user": f"u{rng.integers(40)}",
            "movie": str(rng.integers(30)),
            "genres": "|".join(rng.choice(["drama", "war", "sci-fi"], rng.integers(0, 4))),
            "age": "" if rng.random() < 0.1 else str(rng.integers(18, 80)),
            "time": f"2024-01-{1 + row * 20 // rows:02d} 12:00:00",
            "label": str(int(rng.random() < 0.3)),
        }
        for row in range(rows)
    ]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as CSV."""
    lines = [",".join(NAMES), *(",".join(row[name] for name in NAMES) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean log; tests read it only."""
    return write(tmp_path_factory.mktemp("raw") / "log.csv", log())


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come in many chunks."""
    monkeypatch.setattr(text, "BLOCK_BYTES", 4_000)


def import_log(raw: Source, out: Path, **options) -> tuple[ImportReport, Store]:
    schema = options.pop("schema", SCHEMA)
    report = import_files(raw, schema, out, **options)
    store = Store.open(out)
    store.verify()
    return report, store


def columns_of(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    return {name: [row[name] for row in rows] for name in NAMES}


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


def bad(**cells: str) -> list[dict[str, str]]:
    """A log whose third row, on line 4, has other cells."""
    rows = log(50)
    rows[2] |= cells
    return rows


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"age": "old"}, r"column 'age' wants finite numbers, got 'old'"),
        ({"age": "1e999"}, r"column 'age' wants finite numbers"),
        ({"label": ""}, r"column 'label' wants a number .* in each row"),
        ({"label": "yes"}, r"column 'label' wants finite numbers, got 'yes'"),
        ({"time": "yesterday"}, r"column 'time' wants dates"),
        ({"time": ""}, r"column 'time' wants a date in each row"),
        ({"user": ""}, r"column 'user' wants a user in each row"),
        ({"movie": "1,2"}, r"has 7 cells, not 6"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line_or_skipped(tmp_path, cells, says):
    raw = write(tmp_path / "log.csv", bad(**cells))
    split = LeaveLastOut()
    with pytest.raises(ValueError, match=rf"log\.csv, line 4: {says}.*on_bad_rows='skip'"):
        import_files(raw, SCHEMA, tmp_path / "store", split=split)
    assert not (tmp_path / "store").exists()
    report, store = import_log(raw, tmp_path / "store", split=split, on_bad_rows="skip")
    assert (report.rejected, sum(report.examples.values())) == (1, 49)
    (reject,) = store.rejected
    assert (reject.file, reject.place) == (str(raw), 4)
    _, clean = import_log(
        write(tmp_path / "clean.csv", [row for at, row in enumerate(log(50)) if at != 2]),
        tmp_path / "wanted",
        split=split,
    )
    for name, examples in clean.splits.items():
        found = store.splits[name].take(slice(None))
        np.testing.assert_array_equal(found.low, examples.take(slice(None)).low)


def test_every_bad_row_is_kept_with_its_reason(tmp_path):
    rows = log(60)
    for row, cell in ((3, "x"), (9, ""), (20, "y")):
        rows[row] |= {"age": cell or rows[row]["age"], "label": "1" if cell else ""}
    raw = write(tmp_path / "log.csv", rows)
    raw.write_bytes(raw.read_bytes() + b"u1,\xff,war,20,2024-01-01,1\nu1\n")
    report, store = import_log(raw, tmp_path / "store", split=ALL_TRAIN, on_bad_rows="skip")
    assert report.rejected == 5
    assert [reject.place for reject in store.rejected] == [5, 11, 22, 62, 63]
    assert "rejected.jsonl" in store.manifest["files"]
    assert "\ufffd" in store.rejected[3].text


@pytest.mark.parametrize(
    ("rows", "schema", "split", "says"),
    [
        ([row | {"label": "1"} for row in log(50)], SCHEMA, None, "two classes or more, got 1 in"),
        (log(50), Schema((Feature("zip"),)), None, r"line 1: wants columns \['zip'\], got"),
        (log(50), Schema((Feature("user"),)), LeaveLastOut(), "LeaveLastOut splits by the user"),
        (log(50), Schema((Feature("user"),)), GlobalTime(), "GlobalTime splits by the timestamp"),
        ([], SCHEMA, None, "line 1: the file has no rows"),
    ],
)
def test_a_log_that_cannot_be_learned_from_is_refused(tmp_path, rows, schema, split, says):
    raw = write(tmp_path / "log.csv", rows)
    with pytest.raises(ValueError, match=says):
        import_files(raw, schema, tmp_path / "store", split=split)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_column_that_no_json_line_has_is_refused(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"user": 1, "label": 0}\n{"user": 2, "label": 1}\n')
    schema = Schema((Feature("user"), Feature("zip")))
    says = r"log.jsonl, line 2: no row up to here has the columns \['zip'\]"
    with pytest.raises(ValueError, match=says):
        import_files(tmp_path / "log.jsonl", schema, tmp_path / "store", split=ALL_TRAIN)
    assert not (tmp_path / "store").exists()


def test_a_log_of_bad_rows_only_is_refused(tmp_path):
    raw = write(tmp_path / "log.csv", [row | {"label": ""} for row in log(20)])
    with pytest.raises(ValueError, match="the split leaves it none of 0"):
        import_files(raw, SCHEMA, tmp_path / "store", on_bad_rows="skip")


def test_ranks_may_stand_in_a_file_of_text(tmp_path):
    raw = write(tmp_path / "log.csv", log(50))
    schema = Schema((Feature("movie", values=30),))
    _, store = import_log(raw, tmp_path / "store", schema=schema, split=ALL_TRAIN)
    found = store.splits["train"].take(slice(None))
    assert found.low[:, 0].tolist() == [int(row["movie"]) for row in log(50)]
    assert not found.high.any()
    rows = bad(movie="30")
    says = r"bad\.csv, line 4: column 'movie' wants ranks from 0 to 29, .* got '30'"
    with pytest.raises(ValueError, match=says):
        import_files(write(tmp_path / "bad.csv", rows), schema, tmp_path / "other")


def test_what_cannot_be_encoded_is_named_by_its_lines(tmp_path):
    raw = write(tmp_path / "log.csv", log(20))
    schema = Schema((Feature("pair", cross=("user", "movie"), values=10),))
    with pytest.raises(ValueError, match=r"log.csv, lines 2 to 21: Feature\('pair'\) has values"):
        import_files(raw, schema, tmp_path / "store")


def test_an_import_into_a_store_that_is_there_is_refused_at_once(raw, tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(FileExistsError, match="written once"):
        import_files(raw, SCHEMA, tmp_path / "store")


def test_a_split_is_any_of_the_registry():
    assert all(isinstance(kind(), Split) for kind in SPLITS.values())
