"""An index on disk: what it is in JSON, its arrays, and the files of its base."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from recsys.index.base import Base, Spec
from recsys.index.recall import Recall
from recsys.spec import from_json, to_json

VERSION = 1
TOLD, IDS, USERS = "index.json", "ids.npy", "users.npy"


@dataclasses.dataclass(frozen=True, eq=False)
class Built:
    """A base under ids, and what was measured of it."""

    spec: Spec
    base: Base
    ids: Int64[np.ndarray, "items"]
    users: Float32[np.ndarray, "users dim"] | None  # to measure recall with
    recall: Recall | None  # None: not measured, since the base is exact
    goal: float  # recall up to which the effort of a new base is raised
    floor: float  # recall below which a new base is refused


def write(directory: Path, built: Built) -> None:
    """Writes all files into a new or empty directory."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ValueError(f"{directory} wants to be empty and is not: name a new directory.")
    built.base.save(directory)
    np.save(directory / IDS, built.ids)
    if built.users is not None:
        np.save(directory / USERS, built.users)
    told = {
        "version": VERSION,
        "spec": to_json(built.spec),
        "shape": list(built.base.shape),
        "effort": built.base.effort,
        "recall": dataclasses.asdict(built.recall) if built.recall else None,
        "goal": built.goal,
        "floor": built.floor,
    }
    (directory / TOLD).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def read(directory: Path) -> Built:
    """What was written there.

    Raises:
        ValueError: a file is missing, of another version, or does not fit the others.
    """
    told = _told(directory)
    spec: Spec = from_json(told["spec"])
    try:
        base = spec.open(directory)
        ids = np.load(directory / IDS, allow_pickle=False)
        users = np.load(directory / USERS) if (directory / USERS).exists() else None
    except (OSError, EOFError) as error:
        raise ValueError(f"{directory} is no whole index ({error}): build it again.") from error
    if list(base.shape) != told["shape"] or ids.shape != base.shape[:1]:
        raise ValueError(
            f"{directory} wants items and entries {told['shape']}, got {list(base.shape)} and "
            f"{len(ids)} ids: build the index again."
        )
    base.effort = told["effort"]
    recall = Recall(**told["recall"]) if told["recall"] else None
    return Built(spec, base, ids.astype(np.int64), users, recall, told["goal"], told["floor"])


def _told(directory: Path) -> dict[str, Any]:
    try:
        told = json.loads((directory / TOLD).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{directory} holds no index ({error}): name one that was built."
        ) from error
    if told.get("version") != VERSION:
        raise ValueError(
            f"{directory / TOLD} wants version {VERSION}, got {told.get('version')}: build the "
            "index again."
        )
    return told
