"""MovieLens-1M: 1,000,209 ratings of 3,706 movies by 6,040 users, from GroupLens' own files.

Harper and Konstan, TiiS 2015; for research use, under the terms of its README at GroupLens. The
folder holds `ratings.dat`, `users.dat` and `movies.dat`, whole or gzipped; in place of the first it
may hold `ratings.csv` with the columns user_id, movie_id, rating, timestamp, an export in which
times may be missing.
"""

import dataclasses
import gzip
import io
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int, Shaped
from pyarrow import csv

from recsys.data.datasets.movielens_100k import clicks, split
from recsys.features import Feature, Schema

__all__ = ["CROSSED", "SCHEMA", "clicks", "crossed", "load", "split"]

Columns = dict[str, Shaped[np.ndarray, "rows"]]


class _File(NamedTuple):
    """One file: its fields, and how many rows a whole one has."""

    name: str
    fields: dict[str, pa.DataType]
    rows: int


FOLDER = "ml-1m"
RATINGS = _File(
    "ratings.dat",
    {"user": pa.int64(), "movie": pa.int64(), "rating": pa.int64(), "timestamp": pa.int64()},
    1_000_209,
)
USERS = _File(
    "users.dat",
    {"user": pa.int64(), "gender": pa.string(), "age": pa.int64(), "occupation": pa.int64(),
     "zip": pa.string()},
    6_040,
)  # fmt: skip
MOVIES = _File(
    "movies.dat", {"movie": pa.int64(), "name": pa.string(), "genres": pa.string()}, 3_883
)
EXPORT = _File(
    "ratings.csv",
    {"user_id": pa.int64(), "movie_id": pa.int64(), "rating": pa.int64(), "timestamp": pa.int64()},
    1_000_209,
)
SCHEMA = Schema(
    tuple(Feature(name) for name in ("user", "movie", "gender", "age", "occupation", "zip")),
    timestamp="timestamp",
    user="user",
    item="movie",
)
# Of the columns that `crossed` adds; with the six they have the many rare values of an ad log.
CROSSED = (
    ("user", "year"),
    ("user", "genre_mix"),
    ("user", "first_genre"),
    ("movie", "occupation"),
    ("movie", "age", "gender"),
    ("movie", "zip_area"),
    ("movie", "age", "occupation", "gender"),
    ("zip", "genre_mix"),
)


def load(directory: Path, *, is_whole: bool = True) -> Columns:
    """Read one row a rating, in the order of the file, with what is known of its user and movie.

    `genres` holds a tuple of names a row, `genre_mix` the same as one text, `zip_area` the first
    three digits of the zip code; a missing time is 0.

    Args:
        is_whole: refuses files with fewer rows than the published ones, or more.
    """
    folder = next((f for f in (directory, directory / FOLDER) if _path(f, USERS.name)), directory)
    ratings, users, movies = _ratings(folder), _table(folder, USERS), _table(folder, MOVIES)
    if is_whole:
        for file, columns in ((RATINGS, ratings), (USERS, users), (MOVIES, movies)):
            _check(file, rows=len(next(iter(columns.values()))))
    user, movie = ratings["user"], ratings["movie"]
    of_user = _places(user, among=users["user"], file=USERS.name)
    of_movie = _places(movie, among=movies["movie"], file=MOVIES.name)
    names, mixes = movies["name"].tolist(), movies["genres"].tolist()
    genres = [tuple(mix.split("|")) for mix in mixes]
    return {
        "user": user,
        "movie": movie,
        "rating": ratings["rating"].astype(np.float32),
        "timestamp": ratings["timestamp"],
        "gender": users["gender"].astype(str)[of_user],
        "age": users["age"][of_user],
        "occupation": users["occupation"][of_user],
        "zip": users["zip"].astype(str)[of_user],
        "zip_area": users["zip"].astype("U3")[of_user],
        "title": np.array([name[:-7] for name in names])[of_movie],
        "year": np.array([int(name[-5:-1]) for name in names])[of_movie],
        "genres": np.fromiter(genres, object, len(genres))[of_movie],
        "genre_mix": np.array(mixes)[of_movie],
        "first_genre": np.array([own[0] for own in genres])[of_movie],
    }


def crossed() -> Schema:
    """The six features and eight crosses: as many values as clicks, most of them rare.

    So it has the shape of an ad log with real labels: where compression of tables is told from
    regularisation.
    """
    crosses = tuple(Feature("_x_".join(columns), cross=columns) for columns in CROSSED)
    return dataclasses.replace(SCHEMA, features=(*SCHEMA.features, *crosses))


def _ratings(folder: Path) -> Columns:
    if _path(folder, RATINGS.name) or not _path(folder, EXPORT.name):
        return _table(folder, RATINGS)
    columns = _table(folder, EXPORT)
    return {
        "user": columns["user_id"],
        "movie": columns["movie_id"],
        "rating": columns["rating"],
        "timestamp": columns["timestamp"],
    }


def _table(folder: Path, file: _File) -> Columns:
    """The columns of a file that must be whole."""
    path = _path(folder, file.name)
    if path is None:
        raise FileNotFoundError(
            f"MovieLens-1M needs {RATINGS.name} (or {EXPORT.name}), {USERS.name} and "
            f"{MOVIES.name}, and {folder} lacks {file.name}: give the folder of the unpacked "
            "ml-1m.zip of GroupLens."
        )
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        table = _parse(data, file)
    except (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowInvalid) as error:
        raise ValueError(
            f"MovieLens-1M needs a whole {path.name}, and reading {folder} says {error}: fetch it "
            "again."
        ) from error
    filled = {name: table[name] for name in file.fields}
    if "timestamp" in filled:
        filled["timestamp"] = pc.fill_null(filled["timestamp"], 0)
    return {name: column.to_numpy(zero_copy_only=False) for name, column in filled.items()}


def _check(file: _File, *, rows: int) -> None:
    if rows != file.rows:
        raise ValueError(
            f"MovieLens-1M needs {file.rows:,} rows in {file.name}, and there are {rows:,}: the "
            "file is truncated or edited, fetch it again."
        )


def _parse(data: bytes, file: _File) -> pa.Table:
    if file.name.endswith(".csv"):
        wanted = csv.ConvertOptions(include_columns=[*file.fields], column_types=file.fields)
        return csv.read_csv(io.BytesIO(data), convert_options=wanted)
    # Arrow wants a delimiter of one character, and titles hold single colons, commas and quotes.
    data = data.decode("latin-1").replace("::", "\x1f").encode()
    return csv.read_csv(
        io.BytesIO(data),
        read_options=csv.ReadOptions(column_names=[*file.fields]),
        parse_options=csv.ParseOptions(delimiter="\x1f", quote_char=False),
        convert_options=csv.ConvertOptions(column_types=file.fields),
    )


def _path(folder: Path, name: str) -> Path | None:
    """Where the file is, whole or gzipped."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _places(
    ids: Int[np.ndarray, "rows"], *, among: Int[np.ndarray, "records"], file: str
) -> Int[np.ndarray, "rows"]:
    """Where each id stands in a list of ids."""
    order = np.argsort(among)
    place = order[np.searchsorted(among, ids, sorter=order).clip(max=len(among) - 1)]
    unknown = ids[among[place] != ids]
    if len(unknown):
        raise ValueError(
            f"MovieLens-1M needs each rated id in {file}, and {unknown[0]} is not there: fetch the "
            "files of one version."
        )
    return place
