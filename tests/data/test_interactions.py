"""Splits by pairs: read from lists, checked, cut again for validation."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import INTERACTIONS
from recsys.data.interactions import (
    Interactions,
    read_lists,
    sparse,
    split_by_time,
    split_from_lists,
)


def test_a_pair_that_comes_twice_counts_once():
    matrix = sparse(np.array([0, 0, 1]), np.array([2, 2, 0]), (2, 3))
    np.testing.assert_array_equal(matrix.toarray(), [[0, 0, 1], [1, 0, 0]])


def test_lists_are_read_plain_or_gzipped_and_a_user_without_items_has_no_pairs(tmp_path: Path):
    (tmp_path / "train.txt").write_text("0 1 2\n1\n\n2 0\n")
    (tmp_path / "test.txt.gz").write_bytes(gzip.compress(b"1 3\n", mtime=0))
    users, items = read_lists(tmp_path / "train.txt", tmp_path / "test.txt.gz")
    assert list(zip(users.tolist(), items.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (2, 0),
        (1, 3),
    ]


def test_both_sides_of_a_split_share_one_numbering(tmp_path: Path):
    (tmp_path / "train.txt").write_text("0 1\n3 0\n")
    (tmp_path / "test.txt").write_text("1 5\n")
    split = split_from_lists((tmp_path / "train.txt",), (tmp_path / "test.txt",))
    assert (split.users, split.items) == (4, 6)


@pytest.mark.parametrize("name", ["gowalla", "ml-1m-ultragcn"])
def test_a_data_set_by_name_is_the_split_of_its_folder(name, tmp_path: Path):
    (tmp_path / "train.txt.gz").write_bytes(gzip.compress(b"0 1 2\n1 0\n", mtime=0))
    (tmp_path / "test.txt").write_text("0 0\n")
    split = INTERACTIONS[name](tmp_path)
    np.testing.assert_array_equal(split.train.toarray(), [[0, 1, 1], [1, 0, 0]])
    np.testing.assert_array_equal(split.test.toarray(), [[1, 0, 0], [0, 0, 0]])


def test_the_validation_file_of_gowalla_belongs_to_train(tmp_path: Path):
    for name, line in (("train", "0 1"), ("valid", "0 2"), ("test", "0 0")):
        (tmp_path / f"{name}.txt").write_text(line)
    np.testing.assert_array_equal(INTERACTIONS["gowalla"](tmp_path).train.toarray(), [[0, 1, 1]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 1\n1 two\n", "line 2 wants a user and items, all whole numbers, got '1 two'"),
        (b"\n", "hold no line"),
        (gzip.compress(b"0 1 2\n" * 99, mtime=0)[:-9], "is truncated or edited"),
    ],
)
def test_a_broken_list_is_refused_with_what_to_do(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / ("lists.txt.gz" if content[:2] == b"\x1f\x8b" else "lists.txt")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_lists(path)


def test_a_missing_list_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"train\.txt is wanted and is not there"):
        read_lists(tmp_path / "train.txt")


def test_a_test_that_asks_for_what_was_shown_is_refused():
    pairs = sparse(np.array([0]), np.array([1]), (2, 3))
    with pytest.raises(ValueError, match="got 1 that stand in both"):
        Interactions(pairs, pairs)


def test_two_numberings_are_refused():
    small, large = (sparse(np.array([0]), np.array([0]), shape) for shape in ((1, 2), (1, 3)))
    with pytest.raises(ValueError, match=r"got \(1, 2\) and \(1, 3\)"):
        Interactions(small, large)


def _drawn() -> Interactions:
    rng = np.random.default_rng(0)
    user, item = np.divmod(rng.permutation(50 * 80)[:1200], 80)
    train = sparse(user[200:], item[200:], (50, 80))
    return Interactions(train, sparse(user[:200], item[:200], (50, 80)), titles=("a",) * 80)


def test_validation_cuts_train_in_two_and_leaves_test_unread():
    data = _drawn()
    cut = data.validation(0.2)
    together = cut.train.toarray() + cut.test.toarray()
    np.testing.assert_array_equal(together, data.train.toarray())
    assert cut.train.multiply(cut.test).nnz == 0
    had = np.diff(data.train.indptr)
    np.testing.assert_array_equal(np.diff(cut.test.indptr), (had * 0.2).astype(int))
    assert cut.titles == data.titles


def test_validation_is_drawn_by_its_seed():
    data = _drawn()
    first, again, other = (data.validation(seed=seed).test.toarray() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_question_about_some_items_keeps_their_pairs_alone():
    data = _drawn()
    some = np.arange(data.items) % 3 == 0
    asked = data.about(some)
    np.testing.assert_array_equal(asked.test.toarray(), data.test.toarray() * some)
    assert asked.train is data.train


def test_a_split_by_time_asks_for_what_came_last_and_was_not_there_before():
    users = np.array([0, 0, 1, 0, 2, 1])
    items = np.array([1, 2, 1, 1, 0, 3])
    split = split_by_time(users, items, np.array([10, 20, 30, 40, 50, 60]), share=0.5)
    np.testing.assert_array_equal(split.train.toarray(), [[0, 1, 1, 0], [0, 1, 0, 0], [0] * 4])
    np.testing.assert_array_equal(split.test.toarray(), [[0] * 4, [0, 0, 0, 1], [1, 0, 0, 0]])


def test_pairs_of_one_moment_stay_together():
    users, items = np.arange(10), np.arange(10)
    split = split_by_time(users, items, np.array([1] * 3 + [2] * 7), share=0.2 + 0.6)
    assert (split.train.nnz, split.test.nnz) == (3, 7)


@pytest.mark.parametrize(("count", "share"), [(9, 0.0), (9, 1.0), (9, 1.5), (0, 0.1), (9, 0.5)])
def test_a_split_by_time_without_two_sides_is_refused(count, share):
    numbers = np.arange(count)
    with pytest.raises(ValueError, match="wants pairs on both sides of a moment"):
        split_by_time(numbers, numbers, np.zeros(count), share=share)
