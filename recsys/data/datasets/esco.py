"""ESCO: 3,007 occupations, 13,896 skills, and which occupation needs which skill.

European Skills, Competences, Qualifications and Occupations (v1.1.1 counts so). The folder holds
the two archives of the official download, classification and relations, in English and as CSV,
whatever their version. Who passes results on says that they use the ESCO classification of the
European Commission.
"""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path

from scipy.sparse import csr_array

from recsys.data.datasets.links import Rows, link, read_rows

FOLDER = "esco"
CLASSIFICATION, RELATIONS = "*classification*en*csv.zip", "*relations*csv.zip"
LINKS = "occupationSkillRelations.csv"
OWNER = "ESCO"
WHOLE = 0.99  # the least share of links whose occupation is described


@dataclasses.dataclass(frozen=True)
class Skill:
    """A skill, a competence, or a piece of knowledge."""

    uri: str
    label: str
    alternatives: tuple[str, ...]  # other labels
    description: str
    kind: str  # `skill/competence` or `knowledge`
    reuse: str  # how far it carries: `transversal`, `cross-sector`, `sector-specific`, ...


@dataclasses.dataclass(frozen=True)
class Occupation:
    """An occupation and its place in the International Standard Classification (ISCO-08)."""

    uri: str
    label: str
    alternatives: tuple[str, ...]  # other labels
    description: str
    group: str  # of ISCO: four digits, each prefix of them a wider group
    code: str  # that and the path of ESCO below it


@dataclasses.dataclass(frozen=True)
class ESCO:
    """The classification; rows of links are occupations, columns skills."""

    occupations: tuple[Occupation, ...]
    skills: tuple[Skill, ...]
    essential: csr_array  # 1 where the occupation cannot do without the skill
    optional: csr_array  # 1 where it depends on the employer or the place


def load(directory: Path) -> ESCO:
    """Read the classification.

    Raises:
        FileNotFoundError: an archive is missing.
        ValueError: an archive is damaged, or the two are of different versions.
    """
    texts, relations = _archive(directory, CLASSIFICATION), _archive(directory, RELATIONS)
    described = ("conceptUri", "preferredLabel", "altLabels", "description")
    skills = tuple(
        Skill(
            uri=row["conceptUri"],
            label=row["preferredLabel"].strip(),
            alternatives=_lines(row["altLabels"]),
            description=row["description"].strip(),
            kind=row["skillType"],
            reuse=row["reuseLevel"],
        )
        for row in _rows(texts, "skills_en.csv", (*described, "skillType", "reuseLevel"))
    )
    occupations = tuple(
        Occupation(
            uri=row["conceptUri"],
            label=row["preferredLabel"].strip(),
            alternatives=_lines(row["altLabels"]),
            description=row["description"].strip(),
            group=row["iscoGroup"],
            code=row["code"],
        )
        for row in _rows(texts, "occupations_en.csv", (*described, "iscoGroup", "code"))
    )
    rows = {occupation.uri: place for place, occupation in enumerate(occupations)}
    columns = {skill.uri: place for place, skill in enumerate(skills)}
    pairs = _described(_rows(relations, LINKS, ("occupationUri", "relationType", "skillUri")), rows)
    essential, optional = (
        link(
            ((one, other, 1.0) for one, kind, other in pairs if kind == wanted),
            rows=rows,
            columns=columns,
            name=LINKS,
            owner=OWNER,
        )
        for wanted in ("essential", "optional")
    )
    return ESCO(occupations, skills, essential=essential, optional=optional)


def _described(pairs: Rows, occupations: Mapping[str, int]) -> list[tuple[str, str, str]]:
    """Links without those of occupations that are not described: v1.1.1 has one such."""
    kept = [
        (row["occupationUri"], row["relationType"], row["skillUri"])
        for row in pairs
        if row["occupationUri"] in occupations
    ]
    if len(kept) < WHOLE * len(pairs):
        raise ValueError(
            f"ESCO needs all occupations of {LINKS} described, and {len(pairs) - len(kept):,} "
            f"of {len(pairs):,} links are of others: fetch the two archives of one version."
        )
    return kept


def _archive(directory: Path, pattern: str) -> Path:
    found = [path for place in (directory, directory / FOLDER) for path in place.glob(pattern)]
    if len(found) != 1:
        raise FileNotFoundError(
            f"ESCO needs one archive {pattern}, and {directory} holds {len(found)}: give the "
            "folder with the classification and the relations of one version, in English as CSV."
        )
    return found[0]


def _rows(archive: Path, name: str, columns: tuple[str, ...]) -> Rows:
    try:
        with zipfile.ZipFile(archive) as opened:
            member = next((m for m in opened.namelist() if m.split("/")[-1] == name), name)
            data = opened.read(member)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(
            f"ESCO needs a whole {name} in {archive.name}, and reading it says {error}: fetch it "
            "again."
        ) from error
    return read_rows(data, columns=columns, name=name, owner=OWNER)


def _lines(text: str) -> tuple[str, ...]:
    """One label a line."""
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
