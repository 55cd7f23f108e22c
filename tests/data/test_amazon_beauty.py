"""Amazon Beauty: the last item of a user is asked for, and spoilt files are refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import INTERACTIONS
from recsys.data.datasets.amazon_beauty import load

LINES = b"1 2 1 3\n2 1 3\n3 2 4\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Beauty.txt").write_bytes(LINES)
    return tmp_path


def test_the_last_item_of_each_user_is_test_and_numbers_start_at_zero(folder):
    split = load(folder, is_whole=False)
    np.testing.assert_array_equal(split.train.toarray(), [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]])
    np.testing.assert_array_equal(split.test.toarray(), [[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_a_gzipped_file_is_the_same_split(folder):
    plain = load(folder, is_whole=False)
    (folder / "Beauty.txt").unlink()
    (folder / "Beauty.txt.gz").write_bytes(gzip.compress(LINES, mtime=0))
    zipped = load(folder, is_whole=False)
    np.testing.assert_array_equal(zipped.train.toarray(), plain.train.toarray())
    np.testing.assert_array_equal(zipped.test.toarray(), plain.test.toarray())


def test_a_last_item_that_was_met_before_stays_in_train(folder):
    (folder / "Beauty.txt").write_text("1 1 2 1\n2 1 2\n")
    split = load(folder, is_whole=False)
    np.testing.assert_array_equal(split.train.toarray(), [[1, 1], [1, 0]])
    np.testing.assert_array_equal(split.test.toarray(), [[0, 0], [0, 1]])


def test_a_file_of_another_size_is_refused(folder):
    with pytest.raises(ValueError, match=r"12,101 items .* Beauty.txt has 3, 4 and 7"):
        INTERACTIONS["amazon-beauty"](folder)


def test_a_file_numbered_from_zero_is_refused(folder):
    (folder / "Beauty.txt").write_text("0 1 2\n1 1 3\n")
    with pytest.raises(ValueError, match=r"from 1, and Beauty.txt holds a 0 or less"):
        load(folder, is_whole=False)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"Beauty.txt is wanted and is not there"):
        load(tmp_path)
