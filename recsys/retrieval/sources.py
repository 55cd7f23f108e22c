"""A store of whatever a person trains retrieval on: a store, raw files, or a known data set.

Raw files are described and imported with the defaults of `recsys data`; a schema that lies beside
them is used. What was imported stays with the run.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from recsys.data.datasets import movielens_1m, movielens_100k
from recsys.data.describe import describe
from recsys.data.importing import import_files
from recsys.data.reading import files
from recsys.data.store import MANIFEST, Store
from recsys.features import Feature, Schema
from recsys.features.schema_file import read

IMPORTED, LOG = "data.store", "log.parquet"
LIKED = 4  # stars, of 5
MOVIELENS = Schema(
    (
        Feature("genres", kind="bag", length=6),
        Feature("year"),
        Feature("gender"),
        Feature("age"),
        Feature("occupation"),
    ),
    label="rating",
    positive=float(LIKED),
    timestamp="timestamp",
    date_format="seconds",
    user="user",
    item="movie",
    title="title",
)


def _movielens_100k(folder: Path) -> dict[str, np.ndarray]:
    return movielens_100k.load(movielens_100k.fetch(folder))


# Logs by name: what reads them out of a folder, and their schema.
LOGS: dict[str, tuple[Callable[[Path], dict[str, np.ndarray]], Schema]] = {
    "ml-100k": (_movielens_100k, MOVIELENS),
    "ml-1m": (lambda folder: movielens_1m.load(folder / "ml-1m"), MOVIELENS),
}


def store_for(data: str, directory: Path, *, folder: Path, schema: Path | None = None) -> Store:
    """The store to train on; made inside the run's directory, where `data` is none itself.

    Args:
        data: a store, a file or a pattern of files, or a name of `LOGS`.
        directory: of the run.
        folder: where known data sets are, or are downloaded to.
        schema: of raw files, if there is one.

    Raises:
        ValueError: the files changed since this run began, or cannot be read.
    """
    if (Path(data) / MANIFEST).is_file():
        return Store.open(data)
    made = directory / IMPORTED
    if data in LOGS:
        if not made.exists():
            _import_known(data, folder, made)
        return Store.open(made)
    if made.exists():
        store = Store.open(made)
        _refuse_changed(store, data)
        return store
    import_files(
        data,
        describe(data).schema if schema is None else read(schema),
        made,
        vocabulary=None,
        progress=False,
    )
    return Store.open(made)


def _import_known(name: str, folder: Path, out: Path) -> None:
    load, schema = LOGS[name]
    columns = {
        column: values for column, values in load(folder).items() if column in schema.columns
    }
    years = [f" ({year})" if year else "" for year in columns["year"].tolist()]
    titles = zip(columns["title"].tolist(), years, strict=True)
    columns["title"] = np.array([title + year for title, year in titles])
    genres = pa.array([list(genres) for genres in columns.pop("genres")], pa.list_(pa.string()))
    out.parent.mkdir(parents=True, exist_ok=True)
    log = out.with_name(LOG)
    pyarrow.parquet.write_table(pa.table({**columns, "genres": genres}), log)
    import_files(log, schema, out, vocabulary=None)


def _refuse_changed(store: Store, data: str) -> None:
    """Refuses files that are other ones than those imported, or were written since."""
    paths, imported = files(data), (store.path / MANIFEST).stat().st_mtime
    changed = [path for path in paths if path.stat().st_mtime > imported]
    if [str(path) for path in paths] != store.manifest["report"]["files"] or changed:
        told = changed[0] if changed else paths[0]
        raise ValueError(
            f"{store.path.parent} holds a run of other data than {told} has now: give another "
            "directory with --out."
        )
