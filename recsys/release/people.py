"""The users that a release knows: their features as the towers read them, and what they have met.

Users are known by fingerprint. Their names are there where somebody gave them to be shown.
"""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt64
from safetensors.numpy import load_file

from recsys.features.hashing import fingerprint
from recsys.features.vocabulary import Vocabulary
from recsys.release.arrays import save_arrays
from recsys.release.manifest import write_json

NAMES, ROWS, LIKED, SEEN = "names.json", "rows.safetensors", "liked.safetensors", "seen.safetensors"


@dataclasses.dataclass(frozen=True, eq=False)
class Lists:
    """Items of each user, as rows of the catalogue."""

    starts: Int64[np.ndarray, "bounds"]  # where each user's start, and where the last's end
    items: Int32[np.ndarray, "pairs"]

    def __getitem__(self, user: int) -> Int32[np.ndarray, "items"]:
        """The items of a user."""
        return self.items[self.starts[user] : self.starts[user + 1]]


@dataclasses.dataclass(frozen=True, eq=False)
class Known:
    """Users, a row each.

    Their features stand as in a batch of the query schema without those that hold items, which are
    made of what users liked.
    """

    fingerprints: UInt64[np.ndarray, "users"]
    keys: UInt64[np.ndarray, "users places"]
    valid: Bool[np.ndarray, "users places"]
    numbers: Float32[np.ndarray, "users numbers"]
    liked: Lists  # what they are recommended by; of a long list the last items are read
    seen: Lists  # what they are not shown again
    names: list[str] | None = None

    @classmethod
    def open(cls, folder: Path) -> "Known":
        """The users of a release."""
        liked = Lists(**load_file(folder / LIKED))
        seen = Lists(**load_file(folder / SEEN)) if (folder / SEEN).is_file() else liked
        names = json.loads((folder / NAMES).read_bytes())
        return cls(**load_file(folder / ROWS), liked=liked, seen=seen, names=names)

    def save(self, folder: Path) -> None:
        """Writes them into a folder, which is made."""
        folder.mkdir(parents=True)
        write_json(folder / NAMES, self.names)
        rows = {n: getattr(self, n) for n in ("fingerprints", "keys", "valid", "numbers")}
        save_arrays(folder / ROWS, rows)
        for path, lists in ((LIKED, self.liked), (SEEN, self.seen)):
            if path == LIKED or lists is not self.liked:
                save_arrays(folder / path, {"starts": lists.starts, "items": lists.items})

    def __len__(self) -> int:
        """How many."""
        return len(self.fingerprints)

    def row_of(self, user: Any) -> int | None:
        """The row of an external id; None where it is unknown."""
        row = int(self._order.ranks(fingerprint([user]))[0])
        return row if row < len(self) else None

    @functools.cached_property
    def _order(self) -> Vocabulary:
        return Vocabulary.in_order(self.fingerprints)
