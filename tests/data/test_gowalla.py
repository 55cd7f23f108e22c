"""Gowalla's lists: the published split, and validation from the end of each user's list."""

from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import gowalla


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    # In the order of visits, which is not that of numbers; user 2 has too few to part with any.
    (tmp_path / "train.txt").write_text("0 7 1 5 3 0 2\n1 4 0 6 1\n2 3 2\n")
    (tmp_path / "valid.txt").write_text("0 6 4\n1\n2\n")
    (tmp_path / "test.txt").write_text("0 8\n1 7\n2 1\n")
    return tmp_path


def listed(matrix) -> list[list[int]]:
    return [np.sort(matrix[[user]].indices).tolist() for user in range(matrix.shape[0])]


def test_valid_belongs_to_train(folder):
    data = gowalla.load(folder)
    assert listed(data.train) == [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 4, 6], [2, 3]]
    assert listed(data.test) == [[8], [7], [1]]


@pytest.mark.parametrize(
    ("end", "aside"), [("last", [[0, 2], [1], []]), ("first", [[1, 7], [4], []])]
)
def test_validation_is_one_end_of_each_list_and_train_the_rest(folder, end, aside):
    part, whole = gowalla.validation(folder, share=0.25, end=end), gowalla.load(folder)
    assert listed(part.test) == aside
    assert part.train.nnz + part.test.nnz == whole.train.nnz
    assert part.train.shape == whole.train.shape
    np.testing.assert_array_equal((part.train + part.test).toarray(), whole.train.toarray())


def test_two_items_of_a_list_stay(folder):
    assert listed(gowalla.validation(folder, share=0.9).test) == [[0, 2, 3, 5], [1, 6], []]
