"""Criteo: both forms become the same columns, empty cells are missing, broken lines are refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets.criteo import CODES, COUNTS, NAMES, RAW, SCHEMA, load, read
from recsys.data.importing import import_files
from recsys.data.splits import Random
from recsys.data.store import Store


def raw_line(number: int) -> str:
    counts = ["" if place == number % 13 else str(place - 3) for place in range(13)]
    codes = ["" if place == number % 26 else f"{number * 31 + place:08x}" for place in range(26)]
    return "\t".join([str(number % 2), *counts, *codes])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.txt").write_text("".join(raw_line(n) + "\n" for n in range(40)))
    return tmp_path


def test_the_raw_form_has_counts_and_codes(folder):
    columns = load(folder)
    assert list(columns) == list(NAMES)
    assert columns["label"].tolist() == [0, 1] * 20
    assert columns["I2"][0] == -2
    assert columns["C3"][5] == f"{5 * 31 + 2:08x}"


def test_an_empty_cell_is_missing(folder):
    columns = load(folder)
    assert np.isnan(columns["I1"][0])
    assert np.isnan(columns["I4"][3])
    assert columns["C1"][0] is None
    assert columns["C26"][25] is None


def test_the_indexed_form_has_the_same_columns(tmp_path):
    path = tmp_path / "train.csv.gz"
    line = ",".join(map(str, range(40)))
    path.write_bytes(gzip.compress(f"{line}\n{line}\n".encode()))
    columns = load(path)
    assert list(columns) == list(NAMES)
    assert columns["I13"].tolist() == [13.0, 13.0]
    assert columns["C26"].tolist() == [39, 39]


def test_a_gzipped_file_reads_like_a_plain_one(folder):
    path = folder / "part.gz"
    path.write_bytes(gzip.compress((folder / "train.txt").read_bytes()))
    for name, column in load(folder).items():
        np.testing.assert_array_equal(load(path)[name], column)


def test_blocks_of_a_file_are_the_file(folder):
    blocks = list(read(folder))
    assert sum(len(block["label"]) for block in blocks) == 40
    assert list(blocks[0]) == list(NAMES)


def test_an_import_of_the_raw_form_has_the_same_keys(folder, tmp_path):
    import_files(folder / "train.txt", SCHEMA, tmp_path / "store", format=RAW, split=Random())
    parts = Store.open(tmp_path / "store").splits.values()
    stored = np.concatenate([part.take(slice(0, len(part))).low for part in parts])
    loaded = SCHEMA.encode(load(folder)).low
    np.testing.assert_array_equal(np.sort(stored, axis=0), np.sort(loaded, axis=0))


def test_the_schema_encodes_both_kinds_of_columns(folder):
    batch = SCHEMA.encode(load(folder))
    assert batch.numbers.shape == (40, len(COUNTS))
    assert batch.low.shape == (40, len(CODES))
    assert np.isfinite(batch.numbers).all()
    assert batch.label.tolist() == [0, 1] * 20


@pytest.mark.parametrize("line", ["0\t1\t2", raw_line(1).replace("1", "one", 1)])
def test_a_broken_line_is_refused(folder, line):
    with (folder / "train.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=r"26 codes in each line, and reading train.txt says"):
        load(folder)


def test_a_truncated_archive_is_refused(folder):
    path = folder / "cut.txt.gz"
    path.write_bytes(gzip.compress((folder / "train.txt").read_bytes())[:-20])
    with pytest.raises(ValueError, match=r"reading cut.txt.gz says"):
        load(path)


def test_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs one of train.txt, train.txt.gz"):
        load(tmp_path)
