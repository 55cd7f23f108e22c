"""Text to skill on spans of job ads: which ESCO skill is meant?

Sentences of job ads whose spans people linked to skills of ESCO (Decorte et al., "Design of
Negative Sampling Strategies for Distantly Supervised Skill Extraction", RecSys in HR 2022; "Extreme
Multi-Label Skill Extraction Training using Large Language Models", AI4HR 2023): `house` and `tech`
link spans, `techwolf` whole sentences. A query is a span with all labels it was given, or a
sentence with those of all its spans; the candidates are all skills of ESCO. Spans without a label
are left out. R-precision@5 is the share of relevant skills among the first five, over min(5,
relevant).
"""

import csv
import dataclasses
import gzip
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from recsys.explicit import Inventory

FOLDER = "job-skill-spans"
SETS = {
    "house": "house_test_annotations.csv",
    "tech": "tech_test_annotations.csv",
    "techwolf": "techwolf_test_annotations.csv",
}
VALIDATION = {
    "house": "house_validation_annotations.csv",
    "tech": "tech_validation_annotations.csv",
}
NO_LABEL = {"LABEL NOT PRESENT", "UNDERSPECIFIED", ""}


@dataclasses.dataclass(frozen=True, eq=False)
class Queries:
    """Texts and the skills they mean."""

    texts: tuple[str, ...]
    relevant: Bool[np.ndarray, "queries skills"]


def read(folder: Path, name: str, inventory: Inventory, *, by: str = "span") -> Queries:
    """The queries of a file.

    Args:
        by: `span` or `sentence`; a file without spans has sentences alone.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it has other columns, or no label of this inventory.
    """
    path = _path(folder, name)
    number = {label.casefold(): n for n, label in reversed([*enumerate(inventory.names)])}
    opened = gzip.open if path.suffix == ".gz" else open
    meant: dict[str, set[int]] = {}
    with opened(path, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        found = reader.fieldnames or ()
        if "label" not in found or "sentence" not in found:
            raise ValueError(
                f"Spans want the columns sentence and label in {path.name}, and its columns are "
                f"{', '.join(found) or 'none'}: fetch the file as published."
            )
        column = by if by in found else "sentence"
        for row in reader:
            label = row["label"].strip().casefold()
            if row["label"] not in NO_LABEL and label in number:
                meant.setdefault(row[column].strip(), set()).add(number[label])
    if not meant:
        raise ValueError(
            f"Spans want labels among {len(inventory):,} skills, and {path.name} has none of them: "
            "give an inventory of ESCO."
        )
    relevant = np.zeros((len(meant), len(inventory)), bool)
    for query, numbers in enumerate(meant.values()):
        relevant[query, [*numbers]] = True
    return Queries(tuple(meant), relevant)


def _path(folder: Path, name: str) -> Path:
    for place in (folder, folder / FOLDER):
        for candidate in (place / name, place / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(
        f"Spans want {name}, and {folder} lacks it: give the folder of the benchmark."
    )
