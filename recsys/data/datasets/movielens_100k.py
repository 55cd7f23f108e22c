"""MovieLens-100K: 100,000 ratings of 1,682 movies by 943 users, from the RecBole wheel or a folder.

Harper and Konstan, TiiS 2015; for research use, under the terms of its README at GroupLens. Read
in both layouts that are about, GroupLens' own (`u.data`, `u.user`, `u.item`) and RecBole's
(`ml-100k.inter`, `.user`, `.item`), whole files or gzipped ones, to the same columns.
"""

import gzip
import re
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from recsys.data.datasets import wheel

Columns = dict[str, Shaped[np.ndarray, "rows"]]


class _File(NamedTuple):
    """One file of a layout: what a whole one looks like."""

    name: str
    separator: str
    fields: int
    rows: int  # without the header


FOLDER = "ml-100k"
WHEEL = "recbole==1.2.1"
IN_WHEEL = "recbole/dataset_example/ml-100k"
GROUPLENS = (
    _File("u.data", "\t", 4, 100_000),
    _File("u.user", "|", 5, 943),
    _File("u.item", "|", 24, 1_682),
)
RECBOLE = (
    _File("ml-100k.inter", "\t", 4, 100_000),
    _File("ml-100k.user", "\t", 5, 943),
    _File("ml-100k.item", "\t", 4, 1_682),
)
SHA256 = {  # of the files in the wheel
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
}
# The order of the flags in u.item.
# fmt: off
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime",
    "Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance",
    "Sci-Fi", "Thriller", "War", "Western",
)
# fmt: on


def fetch(directory: Path) -> Path:
    """Return the folder that holds the data set: `directory`, or the `ml-100k` in it.

    Where neither holds it, the wheel is downloaded with pip, checked and unpacked into the latter.
    """
    for folder in (directory, directory / FOLDER):
        layout = _layout(folder)
        if layout is RECBOLE:
            for name, sha256 in SHA256.items():
                wheel.verify(name, _bytes(folder, name), sha256=sha256)
        if layout:
            return folder
    members = {f"{IN_WHEEL}/{name}": sha256 for name, sha256 in SHA256.items()}
    wheel.unpack(WHEEL, members, folder=directory / FOLDER)
    return directory / FOLDER


def load(directory: Path) -> Columns:
    """Read one row a rating, in the order of the file, with what is known of its user and movie.

    `genres` holds a tuple of names a row; `year` is 0 for the one movie without a name; titles are
    without accents, which some copies of the data set have lost.
    """
    layout = _layout(directory)
    if not layout:
        raise FileNotFoundError(
            f"MovieLens-100K needs {_listed(GROUPLENS)}, or {_listed(RECBOLE)}, and {directory} "
            "has none of them: give the folder that fetch() returns."
        )
    ratings, users, movies = (_records(directory, file) for file in layout)
    user, movie, rating, timestamp = np.array(ratings).astype(np.int64).T
    user_ids, age, gender, occupation, zip_code = map(np.array, zip(*users, strict=True))
    movie_ids, names, genres = zip(*map(_movie, movies), strict=True)
    titles, years = zip(*map(_title_and_year, names), strict=True)
    of_user, of_movie = _places(user, among=user_ids), _places(movie, among=np.array(movie_ids))
    return {
        "user": user,
        "movie": movie,
        "rating": rating.astype(np.float32),
        "timestamp": timestamp,
        "age": age.astype(np.int64)[of_user],
        "gender": gender[of_user],
        "occupation": occupation[of_user],
        "zip": zip_code[of_user],
        "title": np.array(titles)[of_movie],
        "year": np.array(years)[of_movie],
        "genres": np.fromiter(genres, object, len(genres))[of_movie],
    }


def clicks(columns: Columns) -> dict[str, Shaped[np.ndarray, "kept"]]:
    """Turn ratings into a `label`: 1 for 4 and 5, 0 for 1 and 2; a 3 says neither and goes."""
    kept = columns["rating"] != 3
    label = (columns["rating"] > 3).astype(np.float32)
    return {name: column[kept] for name, column in (columns | {"label": label}).items()}


def split(rows: int, seed: int) -> dict[str, Int[np.ndarray, "_"]]:
    """Deal rows at random: 80% to `train`, 10% to `valid`, the rest to `test`."""
    order = np.random.default_rng(seed).permutation(rows)
    train, valid, test = np.split(order, [rows * 8 // 10, rows * 9 // 10])
    return {"train": train, "valid": valid, "test": test}


def _layout(folder: Path) -> tuple[_File, ...] | None:
    """The layout that the folder holds whole; none where it has no file of either."""
    for layout in (GROUPLENS, RECBOLE):
        missing = [file for file in layout if not _path(folder, file.name)]
        if not missing:
            return layout
        if len(missing) < len(layout):
            raise FileNotFoundError(
                f"MovieLens-100K needs {_listed(layout)}, and {folder} lacks {_listed(missing)}: "
                "add what is missing or give another folder."
            )
    return None


def _path(folder: Path, name: str) -> Path | None:
    """Where the file is, whole or gzipped."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _listed(files: Iterable[_File]) -> str:
    return " + ".join(file.name for file in files)


def _bytes(folder: Path, name: str) -> bytes:
    path = _path(folder, name)
    assert path is not None, name
    data = path.read_bytes()
    try:
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"MovieLens-100K needs a whole {path.name}, and gzip says {error}: fetch it again."
        ) from error


def _records(folder: Path, file: _File) -> list[list[str]]:
    """The fields of every row of a file that must be whole."""
    data = _bytes(folder, file.name)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # as GroupLens publishes u.item
    lines = [line for line in text.split("\n") if line.strip()]
    records = [line.rstrip("\r").split(file.separator) for line in lines]
    if file in RECBOLE:
        del records[:1]  # the header
    whole = sum(len(record) == file.fields for record in records) - (not text.endswith("\n"))
    if whole != file.rows or len(records) != file.rows:
        raise ValueError(
            f"MovieLens-100K needs {file.rows:,} rows of {file.fields} fields in {file.name}, and "
            f"{folder} has {max(whole, 0):,}: the file is truncated or edited, fetch it again."
        )
    return records


def _movie(record: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """Id, name with the year, and genres of a row of either layout."""
    match record:
        case [movie, title, year, genres]:
            return movie, f"{title} ({year})", tuple(genres.split())
        case [movie, name, _, _, _, *flags]:
            marked = zip(GENRES, flags, strict=True)
            return movie, name, tuple(genre for genre, flag in marked if flag == "1")
    raise AssertionError(record)  # the number of fields was checked on reading


def _title_and_year(name: str) -> tuple[str, int]:
    """`Toy Story (1995)` in two, without accents; (V), a release on video, is left out."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    match = re.fullmatch(r"(.*?) *\((\d{4})\)(?: \(V\))?", plain.strip())
    if match:
        return match[1], int(match[2])
    return "unknown", 0  # movie 267, which RecBole spells "unkonwn"


def _places(
    ids: Int[np.ndarray, "rows"], *, among: Shaped[np.ndarray, "records"]
) -> Int[np.ndarray, "rows"]:
    """Where each id stands in a list of ids."""
    place = {id_: place for place, id_ in enumerate(among.astype(np.int64).tolist())}
    return np.array([place[id_] for id_ in ids.tolist()])
