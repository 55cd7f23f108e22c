"""Frappe: 96,203 uses of 4,082 apps by 957 people, each with where, when and in what weather.

Baltrunas et al., "Frappe: Understanding the Usage and Perception of Mobile App Recommendations
In-The-Wild", arXiv 1505.03014; for research use, not to be passed on. The folder holds
`Mobile_Frappe.zip` as published, or the `frappe.csv` in it (tab separated).

The log has uses only. What was not used is drawn here: two apps for every use, in its context,
that this person never uses, from a fixed seed; `split` deals the rows. The negatives and the split
behind published numbers are other ones, so nothing measured here compares with those.
"""

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Int64, Shaped
from pyarrow import csv

from recsys.data.datasets.movielens_100k import split
from recsys.features import Feature, Schema

__all__ = ["SCHEMA", "load", "split"]

Columns = dict[str, Shaped[np.ndarray, "rows"]]

ARCHIVE, MEMBER, FILE = "Mobile_Frappe.zip", "Mobile_Frappe/frappe/frappe.csv", "frappe.csv"
FOLDER = "frappe"
CONTEXT = (
    "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city",
)  # fmt: skip
NEGATIVES = 2  # for each use
SCHEMA = Schema(
    tuple(Feature(name) for name in ("user", "item", *CONTEXT)), user="user", item="item"
)


def load(directory: Path, *, seed: int = 0) -> Columns:
    """Read one row a use, `label` 1, each followed by its negatives, `label` 0.

    Args:
        seed: of the negatives.
    """
    log = _log(directory)
    users, items = log["user"].to_numpy(), log["item"].to_numpy()
    rows = np.repeat(np.arange(len(users)), 1 + NEGATIVES)
    label = (np.arange(len(rows)) % (1 + NEGATIVES) == 0).astype(np.float32)
    drawn = _unused(users[rows], used=(users, items), rng=np.random.default_rng(seed))
    context = {name: log[name].to_numpy(zero_copy_only=False) for name in CONTEXT}
    return {
        "user": users[rows],
        "item": np.where(label == 1, items[rows], drawn),
        **{name: column[rows] for name, column in context.items()},
        "label": label,
    }


def _unused(
    users: Int64[np.ndarray, "rows"],
    *,
    used: tuple[Int64[np.ndarray, "uses"], Int64[np.ndarray, "uses"]],
    rng: np.random.Generator,
) -> Int64[np.ndarray, "rows"]:
    """An app for each row, any but those that its person uses, all of them as likely."""
    apps = np.unique(used[1])
    height = apps[-1] + 1
    pairs = np.unique(used[0] * height + used[1])
    of_user = np.unique(pairs // height, return_counts=True)[1]
    if of_user.max() == len(apps):
        raise ValueError(
            f"Frappe needs an app that a person does not use as a negative, and one uses all "
            f"{len(apps)}: give the whole log."
        )
    drawn = rng.choice(apps, len(users))
    while len(clash := np.flatnonzero(np.isin(users * height + drawn, pairs))):
        drawn[clash] = rng.choice(apps, len(clash))
    return drawn


def _log(directory: Path) -> pa.Table:
    """The log as published, without its count of uses, which only a use has."""
    types = {"user": pa.int64(), "item": pa.int64(), "city": pa.int64()}
    texts = {name: pa.string() for name in CONTEXT if name not in types}
    convert = csv.ConvertOptions(
        include_columns=["user", "item", *CONTEXT],
        column_types={**types, **texts},
    )
    try:
        return csv.read_csv(
            pa.BufferReader(_bytes(directory)),
            parse_options=csv.ParseOptions(delimiter="\t"),
            convert_options=convert,
        )
    except (pa.ArrowInvalid, KeyError) as error:
        raise ValueError(
            f"Frappe needs {FILE} with the tab-separated columns user, item and its contexts, and "
            f"reading it says {error}: fetch it again."
        ) from error


def _bytes(directory: Path) -> bytes:
    for folder in (directory, directory / FOLDER):
        if (folder / FILE).is_file():
            return (folder / FILE).read_bytes()
        if (folder / ARCHIVE).is_file():
            try:
                with zipfile.ZipFile(folder / ARCHIVE) as archive:
                    return archive.read(MEMBER)
            except (zipfile.BadZipFile, KeyError) as error:
                raise ValueError(
                    f"Frappe needs {MEMBER} in {ARCHIVE}, and opening it says {error}: fetch it "
                    "again."
                ) from error
    raise FileNotFoundError(
        f"Frappe needs {ARCHIVE} or {FILE}, and {directory} has neither: give the folder that "
        "holds one."
    )
