"""MovieLens-100K as a release: two towers on who liked what, to be served.

Users are recommended by what they gave 4 or 5 stars; titles, years and genres are shown of movies.
Expect recall@20 of about .37 on validation, in less than a minute on two cores.

    python -m experiments.movielens.release
    recsys serve runs/movielens/release
"""

import dataclasses
from pathlib import Path
from typing import Any

import tyro

from recsys.data.datasets import movielens_100k
from recsys.export import towers, write
from recsys.release import Release
from recsys.retrieval.run import open_towers, train_towers
from recsys.retrieval.settings import TowerSettings
from recsys.retrieval.sources import store_for

SETTINGS = TowerSettings(epochs=40, patience=2)


@dataclasses.dataclass(frozen=True)
class MovieLens:
    """Trains two towers on MovieLens-100K and makes a release of them."""

    data: Path = Path(".cache")  # where MovieLens-100K is, or is downloaded to
    directory: Path = Path("runs/movielens")  # of the run, and in it the release


def release(choice: MovieLens) -> Release:
    """The release, made if it is not there yet; a killed run goes on where it was."""
    path = choice.directory / "release"
    if not path.exists():
        store = store_for("ml-100k", choice.directory, folder=choice.data)
        train_towers(store, choice.directory, SETTINGS)
        run = open_towers(choice.directory)
        log = movielens_100k.load(movielens_100k.fetch(choice.data))
        shown = columns(log, run.known.items.names)
        users = sorted(set(log["user"].tolist()))
        write(towers.of_run(run, names=users, columns=shown), path, name="movielens-100k")
    found = Release.open(path)
    found.replay()
    return found


def columns(log: dict[str, Any], movies: tuple[str, ...]) -> dict[str, list[Any]]:
    """What is shown of movies beside their titles, and filtered by."""
    row = {str(movie): at for at, movie in enumerate(log["movie"].tolist())}
    at = [row[movie] for movie in movies]
    years = [year or None for year in log["year"][at].tolist()]  # one movie has none
    return {"year": years, "genres": [list(genres) for genres in log["genres"][at]]}


def served(path: Path) -> str:
    """What to type in order to serve a release, and where its page is then."""
    return f"  .venv/bin/recsys serve {path}   # the page: http://127.0.0.1:8000/"


if __name__ == "__main__":
    made = release(tyro.cli(MovieLens)).path
    print(f"The release is in {made}. To serve it:\n{served(made)}")
