"""MovieLens-1M: files in the published layout become joined columns, spoilt ones are refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import movielens_1m
from recsys.data.datasets.movielens_1m import CROSSED, SCHEMA, clicks, crossed, load

RATINGS = ("1::7::5::978300760", "1::9::3::978302109", "2::7::1::978298413", "2::8::4::978299000")
USERS = ("1::F::1::10::48067", "2::M::56::16::70072-1234")
MOVIES = (
    "7::Sabrina (1995)::Comedy|Romance",
    '8::Misérables, Les: The "Movie" (1998)::Drama',
    "9::Alien³ (1992)::Action|Horror",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in (("ratings", RATINGS), ("users", USERS), ("movies", MOVIES)):
        text = "\n".join([*lines, ""])
        (tmp_path / f"{name}.dat").write_text(text, encoding="latin-1")
    return tmp_path


def test_a_rating_is_joined_to_its_user_and_movie(folder):
    last = {name: column[3] for name, column in load(folder, is_whole=False).items()}
    assert last == {
        "user": 2,
        "movie": 8,
        "rating": 4,
        "timestamp": 978299000,
        "gender": "M",
        "age": 56,
        "occupation": 16,
        "zip": "70072-1234",
        "zip_area": "700",
        "title": 'Misérables, Les: The "Movie"',
        "year": 1998,
        "genres": ("Drama",),
        "genre_mix": "Drama",
        "first_genre": "Drama",
    }


def test_genres_come_one_by_one_and_together(folder):
    columns = load(folder, is_whole=False)
    assert columns["genres"][1] == ("Action", "Horror")
    assert (columns["genre_mix"][1], columns["first_genre"][1]) == ("Action|Horror", "Action")


def test_a_gzipped_folder_inside_the_one_given_is_read(folder, tmp_path_factory):
    outer = tmp_path_factory.mktemp("data")
    (outer / "ml-1m").mkdir()
    for path in folder.iterdir():
        (outer / "ml-1m" / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    plain, zipped = (load(place, is_whole=False) for place in (folder, outer))
    for name, column in plain.items():
        np.testing.assert_array_equal(zipped[name], column, err_msg=name)


def test_an_export_with_missing_times_gives_the_same_ratings(folder):
    expected = load(folder, is_whole=False)
    rows = [line.split("::") for line in RATINGS]
    rows[1][3] = ""
    lines = ["user_id,movie_id,rating,timestamp,seq_pos", *(",".join([*row, "1"]) for row in rows)]
    (folder / "ratings.dat").unlink()
    (folder / "ratings.csv").write_text("\n".join([*lines, ""]))
    columns = load(folder, is_whole=False)
    assert columns["timestamp"].tolist() == [978300760, 0, 978298413, 978299000]
    for name in ("user", "movie", "rating", "zip"):
        np.testing.assert_array_equal(columns[name], expected[name])


def test_the_schema_encodes_clicks(folder):
    examples = clicks(load(folder, is_whole=False))
    batch = SCHEMA.encode(examples)
    assert batch.label.tolist() == [1, 0, 1]
    assert batch.low.shape == (3, 6)


def test_crosses_stand_beside_the_six_features(folder):
    examples = clicks(load(folder, is_whole=False))
    schema = crossed()
    assert [feature.name for feature in schema.features[:6]] == [f.name for f in SCHEMA.features]
    assert schema.encode(examples).low.shape == (3, 6 + len(CROSSED))
    assert {column for cross in CROSSED for column in cross} <= examples.keys()


def test_files_of_another_length_are_refused(folder):
    with pytest.raises(ValueError, match=r"1,000,209 rows in ratings.dat, and there are 4"):
        load(folder)


def test_a_row_with_a_field_too_few_is_refused(folder):
    (folder / "users.dat").write_text("1::F::1::10\n2::M::56::16::70072\n")
    with pytest.raises(ValueError, match=r"needs a whole users.dat, and reading .* says"):
        load(folder, is_whole=False)


def test_a_truncated_archive_is_refused(folder):
    data = gzip.compress((folder / "ratings.dat").read_bytes())
    (folder / "ratings.dat").unlink()
    (folder / "ratings.dat.gz").write_bytes(data[:-9])
    with pytest.raises(ValueError, match=r"needs a whole ratings.dat.gz, and reading"):
        load(folder, is_whole=False)


def test_a_rating_of_an_unknown_movie_is_refused(folder):
    (folder / "movies.dat").write_text("\n".join([*MOVIES[:1], ""]), encoding="latin-1")
    with pytest.raises(ValueError, match=r"each rated id in movies.dat, and 9 is not there"):
        load(folder, is_whole=False)


def test_a_missing_file_is_named(folder):
    (folder / "movies.dat").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks movies.dat: give the folder"):
        load(folder, is_whole=False)


def test_the_split_is_that_of_the_smaller_data_set():
    parts = movielens_1m.split(1_003, seed=7)
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 802,
        "valid": 100,
        "test": 101,
    }
