"""Bad input: no store, and a sentence with file and line; or the rest, and the rows apart."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys.data.importing import import_files
from recsys.data.splits import GlobalTime, LeaveLastOut
from recsys.features import Feature, Schema
from tests.data.logs import ALL_TRAIN, SCHEMA, import_log, log, write


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean log; tests read it only."""
    return write(tmp_path_factory.mktemp("raw") / "log.csv", log(200))


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


def test_a_vocabulary_of_one_value_is_refused_with_its_file(tmp_path):
    raw = write(tmp_path / "log.csv", [row | {"movie": "7"} for row in log(50)])
    says = r"log\.csv: Feature\('movie'\) wants two values or more for a vocabulary, got one in"
    with pytest.raises(ValueError, match=says):
        import_files(raw, SCHEMA, tmp_path / "store", vocabulary=["movie"])
    unique = write(
        tmp_path / "unique.csv", [row | {"movie": str(n)} for n, row in enumerate(log(50))]
    )
    with pytest.raises(ValueError, match=r"unique\.csv: .* lower min_count, or drop the feature"):
        import_files(unique, SCHEMA, tmp_path / "store", vocabulary=["movie"], min_count=2)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("on_bad_rows", ["stop", "skip"])
def test_a_truncated_gzip_is_refused_however_bad_rows_are_taken(raw, tmp_path, on_bad_rows):
    whole = gzip.compress(raw.read_bytes())
    (tmp_path / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"log\.csv\.gz, line \d+: the gzip data end early"):
        import_files(tmp_path / "log.csv.gz", SCHEMA, tmp_path / "store", on_bad_rows=on_bad_rows)
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv.gz"]


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


def test_what_cannot_be_encoded_is_named_by_its_lines(tmp_path):
    raw = write(tmp_path / "log.csv", log(20))
    schema = Schema((Feature("pair", cross=("user", "movie"), values=10),))
    with pytest.raises(ValueError, match=r"log.csv, lines 2 to 21: Feature\('pair'\) has values"):
        import_files(raw, schema, tmp_path / "store")


def test_an_import_into_a_store_that_is_there_is_refused_at_once(raw, tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(FileExistsError, match="written once"):
        import_files(raw, SCHEMA, tmp_path / "store")
