"""MovieLens-1M by time: what was liked last is asked for, by whoever liked it."""

from pathlib import Path

import numpy as np
import pytest

from recsys.data.datasets import INTERACTIONS
from recsys.data.datasets.ml_1m_time import load

# User, film, stars, time. User 4 liked nothing; user 3 comes late, and so does film 30.
RATINGS = (
    (1, 10, 5, 100),
    (1, 20, 4, 110),
    (1, 30, 3, 120),
    (2, 10, 4, 130),
    (2, 20, 1, 140),
    (4, 20, 2, 150),
    (2, 20, 5, 160),
    (3, 30, 5, 170),
)
MOVIES = ("10::Heat (1995)::Action", "20::Sabrina (1954)::Comedy", "30::Alien (1979)::Horror")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "ml-1m"
    own.mkdir()
    lines = ["::".join(map(str, rating)) for rating in RATINGS]
    (own / "ratings.dat").write_text("\n".join([*lines, ""]))
    (own / "movies.dat").write_text("\n".join([*MOVIES, ""]))
    (own / "users.dat").write_text("".join(f"{user}::F::1::10::48067\n" for user in range(1, 5)))
    return own


def _export(folder: Path, *, times: tuple[str, ...], estimates: tuple[str, ...] = ()) -> None:
    """Writes the ratings as an export, with an estimate of times where there is one."""
    (folder / "ratings.dat").unlink()
    header = "user_id,movie_id,rating,timestamp" + ",timestamp_est" * bool(estimates)
    rows = [[*map(str, rating[:3]), time] for rating, time in zip(RATINGS, times, strict=True)]
    rows = [[*row, *estimates[at : at + 1]] for at, row in enumerate(rows)]
    (folder / "ratings.csv").write_text("\n".join([header, *map(",".join, rows), ""]))


def test_films_of_four_stars_and_more_are_cut_at_one_moment(folder):
    split = load(folder, is_whole=False)
    np.testing.assert_array_equal(split.train.toarray(), [[1, 1, 0], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(split.test.toarray(), [[0, 0, 0], [0, 0, 0], [0, 0, 1]])


def test_items_are_called_by_their_films(folder):
    assert load(folder, is_whole=False).titles == ("Heat (1995)", "Sabrina (1954)", "Alien (1979)")


@pytest.mark.parametrize("place", ["ml-1m", ".", "ml-1m-time"])
def test_the_files_are_found_in_the_folder_or_within_it_or_beside_it(folder, place):
    split = load(folder.parent / place, is_whole=False)
    assert (split.train.nnz, split.test.nnz) == (4, 1)


def test_an_estimate_stands_in_for_a_missing_time(folder):
    known = load(folder, is_whole=False)
    times = [str(rating[3]) for rating in RATINGS]
    _export(folder, times=(*times[:7], ""), estimates=(*times[:7], "165.5"))
    split = load(folder, is_whole=False)
    np.testing.assert_array_equal(split.train.toarray(), known.train.toarray())
    np.testing.assert_array_equal(split.test.toarray(), known.test.toarray())


@pytest.mark.parametrize("estimates", [(), ("",) * 8])
def test_a_rating_whose_time_nobody_knows_is_left_out(folder, estimates):
    times = tuple(str(rating[3]) for rating in RATINGS)
    _export(folder, times=(*times[:7], ""), estimates=estimates)
    split = load(folder, is_whole=False)
    assert (split.users, split.items) == (2, 2)
    np.testing.assert_array_equal(split.train.toarray(), [[1, 1], [1, 0]])
    np.testing.assert_array_equal(split.test.toarray(), [[0, 0], [0, 1]])


def test_files_of_another_length_are_refused(folder):
    with pytest.raises(ValueError, match=r"1,000,209 rows in ratings.dat, and there are 8"):
        INTERACTIONS["ml-1m-time"](folder)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"lacks ratings.dat: give the folder"):
        load(tmp_path / "ml-1m-time")
