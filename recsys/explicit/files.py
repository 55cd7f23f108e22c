"""Files to documents: skills, profiles and jobs as JSONL or Parquet, a row each.

    skills    name; description
    profiles  text; id; given and known, lists of names of skills; relevant, a list of ids of jobs
    jobs      text; id; given and known likewise

What stands first is wanted, the rest is optional. A row without an id is called by its number,
counted from 0. Grades beside names and ids, all alike without them, are lists of numbers called
given_grades, known_grades and relevant_grades.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from scipy import sparse

from recsys.data.formats import JSONLines, Parquet
from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.inventory import Inventory

FORMATS = {".jsonl": JSONLines(), ".ndjson": JSONLines(), ".parquet": Parquet()}
JOBS = "jobs.parquet"  # beside a space
Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Named:
    """Documents, and what they are called."""

    ids: tuple[str, ...]
    documents: Documents
    rows: Sequence[Row]


def read_inventory(path: str | Path) -> Inventory:
    """The skills of a file.

    Raises:
        ValueError: the file cannot be read, has no name, or a name twice.
    """
    rows = read(path, wanted="name")
    told = [str(row.get("description") or "") for row in rows]
    return Inventory(tuple(str(row["name"]) for row in rows), tuple(told) if any(told) else ())


def read_documents(path: str | Path, inventory: Inventory) -> Named:
    """The documents of a file.

    Raises:
        ValueError: the file cannot be read, a skill is unknown, or an id comes twice.
    """
    rows = read(path, wanted="text")
    ids = tuple(
        str(number if row.get("id") is None else row["id"]) for number, row in enumerate(rows)
    )
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"{path} wants each id once, got {twice[0]!r} again: rename or drop one.")
    texts = [str(row["text"] or "") for row in rows]
    try:
        given, known = ([graded(row, name) for row in rows] for name in ("given", "known"))
        return Named(ids, Documents.of(texts, inventory, given=given, known=known), rows)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_relevance(profiles: str | Path, jobs: str | Path, inventory: Inventory) -> Relevance:
    """Profiles, jobs, and which of these are relevant to which of those.

    Raises:
        ValueError: a file cannot be read, or a profile names a job that is not there.
    """
    one, other = read_documents(profiles, inventory), read_documents(jobs, inventory)
    number = {name: place for place, name in enumerate(other.ids)}
    grades = sparse.dok_array((len(one.ids), len(other.ids)), dtype=np.float32)
    for place, row in enumerate(one.rows):
        for name, grade in graded(row, "relevant").items():
            if name not in number:
                raise ValueError(
                    f"{profiles} calls job {name!r} relevant, and {jobs} has none of that id: add "
                    "it, or leave it out."
                )
            grades[place, number[name]] = grade
    return Relevance(one.documents, other.documents, sparse.csr_array(grades))


def graded(row: Row, name: str) -> dict[str, float]:
    """Names and grades of a cell that holds a list.

    Raises:
        ValueError: it holds something else, or has not as many grades as names.
    """
    names, grades = row.get(name), row.get(f"{name}_grades")
    names = [] if names is None else names
    grades = [1.0] * len(names) if grades is None else grades
    if isinstance(names, str) or len(grades) != len(names):
        raise ValueError(
            f"A row wants {name} as a list, and as many {name}_grades or none, got {names!r} and "
            f"{grades!r}."
        )
    return {str(one): float(grade) for one, grade in zip(names, grades, strict=True)}


def read(path: str | Path, *, wanted: str) -> list[Row]:
    """The rows of a file, which must have a column.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read, or lacks the column.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise ValueError(f"Documents come in files of {known}, got {path}: convert it to one.")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file: give one of skills, profiles or jobs.")
    chunks = [piece() for piece in FORMATS[path.suffix].pieces(path, None)]
    for reject in (one for chunk in chunks for one in chunk.rejects):
        raise ValueError(f"{reject}: mend it, or leave it out.")
    rows = [row for chunk in chunks for row in pa.table(chunk.table).to_pylist()]
    wrong = next((number for number, row in enumerate(rows, 1) if wanted not in row), None)
    if wrong is not None or not rows:
        raise ValueError(
            f"{path} wants a column {wanted!r} in every row, got {len(rows):,} rows"
            f"{f' and none in row {wrong}' if wrong else ''}: add it."
        )
    return rows


def keep_jobs(directory: Path, jobs: Named) -> None:
    """Writes the jobs of a space beside it, so that it can be exported with them."""
    documents, names = jobs.documents, [row.get("title") for row in jobs.rows]
    table = pa.table(
        {
            "id": list(jobs.ids),
            "text": list(documents.texts),
            "title": pa.array([None if name is None else str(name) for name in names], pa.string()),
            "given": [list(graded(row, "given")) for row in jobs.rows],
            "given_grades": [list(graded(row, "given").values()) for row in jobs.rows],
        }
    )
    pyarrow.parquet.write_table(table, directory / JOBS)


def kept_jobs(directory: Path, inventory: Inventory) -> Named:
    """The jobs that were written beside a space.

    Raises:
        FileNotFoundError: there are none.
    """
    return read_documents(directory / JOBS, inventory)
