"""MovieLens-1M split by time: 575,281 times that a user liked a film, the last tenth as test.

Harper and Konstan, TiiS 2015; read from the files of `movielens_1m`. A liked film is one of four or
five stars, and all users are cut at one moment, so that nothing knows its future. Some of the users
in test have nothing in train, and are cold; so are some films.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from pyarrow import csv

from recsys.data.datasets import movielens_1m
from recsys.data.interactions import Interactions, existing, split_by_time

LIKED = 4  # stars, and more
ESTIMATE = "timestamp_est"


def load(directory: Path, *, is_whole: bool = True) -> Interactions:
    """Films that users liked, with their titles; users and films that nobody liked are left out.

    The folder, an `ml-1m` within it or an `ml-1m` beside it holds the files. Where they are an
    export with missing times, its column `timestamp_est` stands in, if there is one; a rating whose
    time nobody knows is left out, for it might be of the future.

    Args:
        is_whole: refuses files with fewer rows than the published ones, or more.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is truncated or edited.
    """
    name = movielens_1m.FOLDER
    places = (directory, directory / name, directory.parent / name)
    is_there = (existing(place, movielens_1m.USERS.name).is_file() for place in places)
    folder = next((p for p, there in zip(places, is_there, strict=True) if there), directory)
    columns = movielens_1m.load(folder, is_whole=is_whole)
    times = _times(folder, columns["timestamp"])
    kept = (columns["rating"] >= LIKED) & ~np.isnan(times)
    users = np.unique(columns["user"][kept], return_inverse=True)[1]
    _, first, items = np.unique(columns["movie"][kept], return_index=True, return_inverse=True)
    titles, years = (columns[name][kept][first].tolist() for name in ("title", "year"))
    named = tuple(f"{title} ({year})" for title, year in zip(titles, years, strict=True))
    return dataclasses.replace(split_by_time(users, items, times[kept]), titles=named)


def _times(folder: Path, known: np.ndarray) -> Float[np.ndarray, " rows"]:
    """Seconds, or an estimate of them, or NaN where there is neither."""
    if known.all():
        return known.astype(np.float64)
    wanted = csv.ConvertOptions(
        include_columns=[ESTIMATE],
        column_types={ESTIMATE: pa.float64()},
        include_missing_columns=True,  # null, in an export without estimates
    )
    table = csv.read_csv(existing(folder, movielens_1m.EXPORT.name), convert_options=wanted)
    estimates = table[ESTIMATE].to_numpy(zero_copy_only=False)
    return np.where(known > 0, known, estimates)
