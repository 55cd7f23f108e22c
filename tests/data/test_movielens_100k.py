"""MovieLens-100K: known values, both layouts alike, one sentence for whatever is wrong."""

import gzip
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import DATASETS, movielens_100k
from recsys.data.datasets.movielens_100k import GENRES, fetch, load

FILES = ("ml-100k.inter", "ml-100k.user", "ml-100k.item")


@pytest.fixture(scope="module")
def folder(cache_directory: Path) -> Path:
    return fetch(cache_directory)


@pytest.fixture(scope="module")
def columns(folder: Path) -> movielens_100k.Columns:
    return load(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A folder of the three files that a test may spoil."""
    for name in FILES:
        shutil.copy(folder / name, tmp_path)
    return tmp_path


@pytest.fixture
def grouplens(folder: Path, tmp_path: Path) -> Path:
    """The same data set as GroupLens lays it out, in latin-1, one file gzipped."""
    rows = {name: (folder / name).read_text().splitlines()[1:] for name in FILES}
    ratings, users = rows["ml-100k.inter"], rows["ml-100k.user"]
    (tmp_path / "u.data").write_bytes(gzip.compress("\n".join([*ratings, ""]).encode()))
    (tmp_path / "u.data").rename(tmp_path / "u.data.gz")
    (tmp_path / "u.user").write_text("\n".join([*users, ""]).replace("\t", "|"))
    movies = []
    for row in rows["ml-100k.item"]:
        movie, title, year, genres = row.split("\t")
        name = "unknown" if movie == "267" else f"{title} ({year})"
        flags = [str(int(genre in genres.split())) for genre in GENRES]
        movies.append("|".join([movie, name, "01-Jan-1995", "", "http://", *flags]))
    (tmp_path / "u.item").write_text("\n".join([*movies, "", ""]), encoding="latin-1")
    return tmp_path


@pytest.mark.slow
def test_the_first_rating_is_joined_to_its_user_and_movie(columns):
    first = {name: column[0] for name, column in columns.items()}
    assert first == {
        "user": 196,
        "movie": 242,
        "rating": 3,
        "timestamp": 881250949,
        "age": 49,
        "gender": "M",
        "occupation": "writer",
        "zip": "55105",
        "title": "Kolya",
        "year": 1996,
        "genres": ("Comedy",),
    }


def test_every_column_has_a_row_a_rating(columns):
    assert {len(column) for column in columns.values()} == {100_000}
    assert len(np.unique(columns["user"])) == 943
    assert len(np.unique(columns["movie"])) == 1_682
    assert np.unique(columns["rating"]).tolist() == [1, 2, 3, 4, 5]


def test_odd_titles_are_read_like_the_others(columns):
    of_movie = dict(zip(columns["movie"].tolist(), columns["title"].tolist(), strict=True))
    year_of = dict(zip(columns["movie"].tolist(), columns["year"].tolist(), strict=True))
    assert (of_movie[267], year_of[267]) == ("unknown", 0)
    assert of_movie[543] == "Miserables, Les"
    assert of_movie[1412] == "Land Before Time III: The Time of the Great Giving"
    assert year_of[1412] == 1995
    assert min(year for movie, year in year_of.items() if movie != 267) == 1922


@pytest.mark.slow
def test_both_layouts_give_the_same_columns(columns, grouplens):
    assert fetch(grouplens) == grouplens
    other = DATASETS["ml-100k"](grouplens)
    assert other.keys() == columns.keys()
    for name, column in columns.items():
        assert other[name].dtype == column.dtype
        np.testing.assert_array_equal(other[name], column, err_msg=name)


def test_clicks_drop_threes_and_keep_rows_together(columns):
    clicks = movielens_100k.clicks(columns)
    known, counts = np.unique(columns["rating"], return_counts=True)
    count = dict(zip(known.tolist(), counts.tolist(), strict=True))
    assert len(clicks["label"]) == 100_000 - count[3]
    assert clicks["label"].sum() == count[4] + count[5]
    np.testing.assert_array_equal(clicks["label"], clicks["rating"] >= 4)
    np.testing.assert_array_equal(clicks["user"], columns["user"][columns["rating"] != 3])


def test_a_split_deals_every_row_once():
    parts = movielens_100k.split(1_003, seed=7)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 802,
        "valid": 100,
        "test": 101,
    }
    np.testing.assert_array_equal(np.sort(np.concatenate([*parts.values()])), np.arange(1_003))


def test_a_split_depends_on_its_seed_alone():
    one, same, other = (movielens_100k.split(1_000, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["train"], same["train"])
    assert (one["train"] != other["train"]).any()


def test_an_edited_file_is_refused(copy):
    path = copy / "ml-100k.inter"
    path.write_bytes(path.read_bytes().replace(b"196\t242\t3", b"196\t242\t5", 1))
    with pytest.raises(ValueError, match=r"ml-100k.inter needs the SHA-256 4edb74e2a811"):
        fetch(copy)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 7, 30_000])
def test_a_truncated_file_is_refused(copy, cut):
    path = copy / "ml-100k.inter"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"needs 100,000 rows of 4 fields in ml-100k.inter"):
        load(copy)


def test_a_truncated_archive_is_refused(grouplens):
    path = grouplens / "u.data.gz"
    path.write_bytes(path.read_bytes()[:1_000])
    with pytest.raises(ValueError, match=r"needs a whole u.data.gz, and gzip says"):
        load(grouplens)


def test_a_missing_file_is_named(copy):
    (copy / "ml-100k.user").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks ml-100k.user: add what is missing"):
        fetch(copy)


def test_loading_from_an_empty_folder_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs u.data \+ u.user \+ u.item, or"):
        load(tmp_path)


@pytest.mark.slow
def test_without_an_index_fetch_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(ConnectionError, match=r"or give a directory that holds the data set"):
        fetch(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
