"""O*NET: 1,016 occupations in words, with tasks, titles, tools, ratings and related occupations.

National Center for O*NET Development, CC BY 4.0. The folder holds files of the database's text
download, whole or gzipped, under their names with or without underscores; tables of ratings may be
the Excel files. Codes are those of the Standard Occupational Classification (SOC) and two digits.
"""

import dataclasses
import gzip
import io
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from scipy.sparse import csr_array

from recsys.data.datasets.links import Rows, link, read_rows

FOLDER = "onet"
OWNER = "O*NET"
CODE = "O*NET-SOC Code"
# Nearest first: five, five and ten related occupations.
TIERS = {"Primary-Short": 3.0, "Primary-Long": 2.0, "Supplemental": 1.0}


@dataclasses.dataclass(frozen=True)
class Occupation:
    """An occupation in words."""

    code: str  # as 11-1011.00
    title: str
    description: str
    alternate_titles: tuple[str, ...]
    tasks: tuple[str, ...]  # one sentence each


@dataclasses.dataclass(frozen=True)
class Concepts:
    """Named things that occupations have to do with."""

    names: tuple[str, ...]
    links: csr_array  # [occupations, names], 0 where nothing is known
    examples: tuple[tuple[str, ...], ...] = ()  # brands and makes, of each; () where none are given


@dataclasses.dataclass(frozen=True)
class ONET:
    """The database; rows of all links are occupations."""

    occupations: tuple[Occupation, ...]
    technologies: Concepts  # kinds of software; how many examples are named
    tools: Concepts  # kinds of tools and machines; how many examples are named
    activities: Concepts  # detailed work activities; how many tasks are of them
    related: csr_array  # [occupations, occupations]; 3 near, 2 less near, 1 supplemental

    @property
    def codes(self) -> dict[str, int]:
        """The place of each occupation."""
        return {occupation.code: place for place, occupation in enumerate(self.occupations)}


def load(directory: Path) -> ONET:
    """Read all but the ratings.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or the files are of different versions.
    """
    titles = _texts(directory, "Alternate Titles", "Alternate Title")
    tasks = _texts(directory, "Task Statements", "Task")
    occupations = tuple(
        Occupation(
            code=row[CODE],
            title=row["Title"],
            description=row["Description"],
            alternate_titles=titles[row[CODE]],
            tasks=tasks[row[CODE]],
        )
        for row in _rows(directory, "Occupation Data", (CODE, "Title", "Description"))
    )
    rows = {occupation.code: place for place, occupation in enumerate(occupations)}
    near = _rows(directory, "Related Occupations", (CODE, f"Related {CODE}", "Relatedness Tier"))
    for row in near:
        if row["Relatedness Tier"] not in TIERS:
            raise ValueError(
                f"O*NET needs a tier among {', '.join(TIERS)} in Related Occupations, and "
                f"{row['Relatedness Tier']!r} came: fetch the file as published."
            )
    related = link(
        ((row[CODE], row[f"Related {CODE}"], TIERS[row["Relatedness Tier"]]) for row in near),
        rows=rows,
        columns=rows,
        name="Related Occupations",
        owner=OWNER,
    )
    reference = _rows(directory, "DWA Reference", ("DWA ID", "DWA Title"))
    activity = {row["DWA ID"]: row["DWA Title"].rstrip(".") for row in reference}
    done = [
        (row[CODE], activity.get(row["DWA ID"], row["DWA ID"]))
        for row in _rows(directory, "Tasks to DWAs", (CODE, "DWA ID"))
    ]
    return ONET(
        occupations,
        technologies=_commodities(directory, "Technology Skills", rows=rows),
        tools=_commodities(directory, "Tools Used", rows=rows),
        activities=_concepts(done, rows=rows, name="Tasks to DWAs"),
        related=related,
    )


def ratings(
    directory: Path, base: ONET, *, tables: Sequence[str] = ("Skills", "Knowledge")
) -> Concepts:
    """How important each element of the content model is to each occupation, 1 to 5.

    Reading an Excel file takes `openpyxl`, and seconds.
    """
    pairs = [
        (row[CODE], row["Element Name"], float(row["Data Value"]))
        for table in tables
        for row in _rows(directory, table, (CODE, "Element Name", "Scale ID", "Data Value"))
        if row["Scale ID"] == "IM"
    ]
    names = tuple(dict.fromkeys(name for _, name, _ in pairs))
    columns = {name: place for place, name in enumerate(names)}
    linked = link(pairs, rows=base.codes, columns=columns, name=", ".join(tables), owner=OWNER)
    return Concepts(names, linked)


def _commodities(directory: Path, name: str, *, rows: dict[str, int]) -> Concepts:
    """Kinds by the United Nations' code of goods (UNSPSC), with what occupations name of them."""
    columns = (CODE, "Commodity Title", "Example")
    found = _rows(directory, name, columns)
    concepts = _concepts([(row[CODE], row[columns[1]]) for row in found], rows=rows, name=name)
    named: dict[str, dict[str, None]] = defaultdict(dict)
    for row in found:
        named[row[columns[1]]][row["Example"]] = None
    return dataclasses.replace(concepts, examples=tuple(tuple(named[n]) for n in concepts.names))


def _concepts(found: Sequence[tuple[str, str]], *, rows: dict[str, int], name: str) -> Concepts:
    counts = Counter(found)
    names = tuple(sorted({concept for _, concept in found}))
    columns = {concept: place for place, concept in enumerate(names)}
    pairs = ((code, concept, float(count)) for (code, concept), count in counts.items())
    return Concepts(names, link(pairs, rows=rows, columns=columns, name=name, owner=OWNER))


def _texts(directory: Path, name: str, column: str) -> dict[str, tuple[str, ...]]:
    """The texts of each occupation, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for row in _rows(directory, name, (CODE, column)):
        found[row[CODE]][row[column]] = None
    return defaultdict(tuple, {code: tuple(texts) for code, texts in found.items()})


def _rows(directory: Path, name: str, columns: tuple[str, ...]) -> Rows:
    path = _path(directory, name)
    try:
        data = path.read_bytes()
        if path.suffix == ".xlsx":
            return _sheet(data, columns=columns, name=path.name)
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, KeyError) as error:
        raise ValueError(
            f"O*NET needs a whole {path.name}, and reading it says {error}: fetch it again."
        ) from error
    return read_rows(data, columns=columns, name=path.name, owner=OWNER, tabs=True)


def _sheet(data: bytes, *, columns: tuple[str, ...], name: str) -> Rows:
    """The rows of a workbook's first sheet."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ImportError(
            f"Reading {name} takes openpyxl, which is not installed: run `pip install openpyxl`, "
            "or save the sheet as text separated by tabs."
        ) from error

    book = load_workbook(io.BytesIO(data), read_only=True)
    lines = book.worksheets[0].iter_rows(values_only=True)
    header = [str(cell) for cell in next(lines, ())]
    if lacking := [column for column in columns if column not in header]:
        raise ValueError(
            f"O*NET needs the column {lacking[0]!r} in {name}, and its columns are "
            f"{', '.join(header) or 'none'}: fetch the file as published."
        )
    return [dict(zip(header, map(_cell, line), strict=True)) for line in lines]


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _path(directory: Path, name: str) -> Path:
    spellings = (name, name.replace(" ", "_"))
    names = [f"{one}{end}" for one in spellings for end in (".txt", ".txt.gz", ".xlsx")]
    for folder in (directory, directory / FOLDER):
        for candidate in names:
            if (folder / candidate).is_file():
                return folder / candidate
    raise FileNotFoundError(
        f"O*NET needs {name}.txt, and {directory} lacks it: give the folder with the files of the "
        "database."
    )
