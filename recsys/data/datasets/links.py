"""Tables of text and sparse links between their rows: what files of knowledge bases hold."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

Rows = list[dict[str, str]]


def read_rows(
    data: bytes, *, columns: Sequence[str], name: str, owner: str, tabs: bool = False
) -> Rows:
    """The rows of a delimited file with a header, as texts by column.

    Args:
        columns: those that must be there; others come along.
        name: what the file is called, for errors.
        owner: the knowledge base it belongs to, for errors.
        tabs: separated by tabs, without quotes; else by commas, with quotes around lines.
    """
    try:
        text = data.decode("utf-8-sig")
        if tabs:
            reader = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"{owner} needs a whole {name}, and reading it says {error}: fetch it again."
        ) from error
    found = reader.fieldnames or ()
    if lacking := [column for column in columns if column not in found]:
        raise ValueError(
            f"{owner} needs the column {lacking[0]!r} in {name}, and its columns are "
            f"{', '.join(found) or 'none'}: fetch the file as published."
        )
    for line, row in enumerate(rows, start=2):
        if None in row or any(row[column] is None for column in columns):
            raise ValueError(
                f"{owner} needs {len(found)} fields a row in {name}, and row {line} has another "
                "number: the file is truncated or edited, fetch it again."
            )
    return rows


def link(
    pairs: Iterable[tuple[str, str, float]],
    *,
    rows: Mapping[str, int],
    columns: Mapping[str, int],
    name: str,
    owner: str,
) -> csr_array:
    """The matrix of linked names, where a pair that comes twice keeps its larger value."""
    places: dict[tuple[int, int], float] = {}
    for one, other, value in pairs:
        for key, known in ((one, rows), (other, columns)):
            if key not in known:
                raise ValueError(
                    f"{owner} needs every name in {name} to be described, and {key!r} is not: "
                    "fetch the files of one version."
                )
        place = (rows[one], columns[other])
        places[place] = max(value, places.get(place, value))
    at = np.array([*places], np.int32).reshape(-1, 2)
    values = np.fromiter(places.values(), np.float32, len(places))
    return csr_array((values, (at[:, 0], at[:, 1])), shape=(len(rows), len(columns)))
