"""A log of events as text, and its import, for tests of what comes out of it."""

from pathlib import Path

import numpy as np

from recsys.data.importing import ImportReport, import_files
from recsys.data.reading import Source
from recsys.data.splits import Random
from recsys.data.store import Store
from recsys.features import Feature, Schema

ROWS = 2_000
SCHEMA = Schema(
    (
        Feature("user"),
        Feature("movie"),
        Feature("genres", kind="bag", length=3, separator="|"),
        Feature("age", kind="numeric"),
        Feature("pair", cross=("user", "movie")),
    ),
    user="user",
    item="movie",
    timestamp="time",
)
ALL_TRAIN = Random(valid=0.0, test=0.0)
NAMES = ("user", "movie", "genres", "age", "time", "label")


def log(rows: int = ROWS, seed: int = 0) -> list[dict[str, str]]:
    """Events as text, some cells of them empty."""
    rng = np.random.default_rng(seed)
    return [
        {
            "user": f"u{rng.integers(40)}",
            "movie": str(rng.integers(30)),
            "genres": "|".join(rng.choice(["drama", "war", "sci-fi"], rng.integers(0, 4))),
            "age": "" if rng.random() < 0.1 else str(rng.integers(18, 80)),
            "time": f"2024-01-{1 + row * 20 // rows:02d} 12:00:00",
            "label": str(int(rng.random() < 0.3)),
        }
        for row in range(rows)
    ]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """The rows as CSV."""
    lines = [",".join(NAMES), *(",".join(row[name] for name in NAMES) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def import_log(raw: Source, out: Path, **options) -> tuple[ImportReport, Store]:
    """A store whose digests hold, and what its import saw."""
    schema = options.pop("schema", SCHEMA)
    report = import_files(raw, schema, out, **options)
    store = Store.open(out)
    store.verify()
    return report, store


def columns_of(rows: list[dict[str, str]]) -> dict[str, list[str]]:
    """The same by column."""
    return {name: [row[name] for row in rows] for name in NAMES}
