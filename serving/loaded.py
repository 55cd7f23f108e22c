"""A release that is ready to answer: verified, compiled, replayed, its changed items taken up."""

import collections
import functools
import threading
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from recsys.release import Release
from serving.catalogue import Catalogue
from serving.exploring import Explorer
from serving.filters import Filters
from serving.messages import Upsert
from serving.refusals import conflict, invalid, unknown

LATE_USERS = 64  # vectors kept, to measure the index with
INDEX = "index"
MOST_PEOPLE = 100_000  # users whose rows are remembered


class Loaded:
    """One release, and what changed of its items."""

    def __init__(self, release: Release, kept: Path):
        """Takes up the changes of its items.

        Args:
            release: Warm, and found to answer as at its export.
            kept: Where changes of its items are.
        """
        self.release, self.id, self.space_id = release, release.id, release.space_id
        self.users: collections.deque[np.ndarray] = collections.deque(maxlen=LATE_USERS)
        self.index: Any = None
        self._people: dict[str | int, int | None] = {}
        self._catalogue: Catalogue | None = None
        self._lock = threading.Lock()
        if release.items is not None:
            self._catalogue = Catalogue(release.items, kept)
            self._filters = Filters(self._catalogue)
            self.index = release.index
            self.index.keep(kept / INDEX)

    @classmethod
    def open(cls, path: Path, kept: Path, *, buckets: tuple[int, ...]) -> "Loaded":
        """Opens, verifies, warms and replays a release.

        Raises:
            ReleaseError: it cannot be trusted, or does not answer as it did.
        """
        release = Release.open(path)
        release.warm(buckets)
        release.replay()
        return cls(release, kept / release.id)

    @property
    def catalogue(self) -> Catalogue:
        """Its items.

        Raises:
            RefusalError: it has none.
        """
        if self._catalogue is None:
            raise conflict(f"Release {self.id} is for {self.release.task} and has no items.")
        return self._catalogue

    @functools.cached_property
    def explorer(self) -> Explorer:
        """Its items and users by a few letters."""
        return Explorer.of(self.release)

    @property
    def filters(self) -> Filters:
        """Of its items."""
        _ = self.catalogue
        return self._filters

    def user_row(self, user: str | int) -> int | None:
        """The row of a user that the release knows; the latest users are remembered."""
        if user not in self._people:
            while len(self._people) >= MOST_PEOPLE:
                self._people.pop(next(iter(self._people)), None)
            known = self.release.known
            self._people[user] = None if known is None else known.row_of(user)
        return self._people.get(user)

    def row(self, item: str | int) -> int:
        """The row of an item.

        Raises:
            RefusalError: there is no such item.
        """
        row = self.catalogue.row_of(item)
        if row is None or not self.index.has(np.array([row]))[0]:
            raise unknown(f"There is no item {str(item)!r} in release {self.id}.")
        return row

    def upsert(self, items: list[Upsert]) -> int:
        """Adds or replaces items; how many.

        Raises:
            RefusalError: an item has neither features nor a vector, or they cannot be read.
        """
        if not items:
            return 0
        catalogue = self.catalogue
        (name, count), *_ = collections.Counter(str(item.id) for item in items).most_common(1)
        if count > 1:
            raise invalid(f"Items want to be told once, got {name!r} twice.")
        vectors = np.stack([self._vector(item) for item in items])
        with self._lock:
            rows = catalogue.add([(str(item.id), item.columns) for item in items])
            self.index.upsert(np.array(rows), vectors)
        return len(items)

    def delete(self, names: list[str | int]) -> int:
        """Takes items out; how many there were."""
        rows = [self.catalogue.row_of(name) for name in names]
        there = np.array([row for row in dict.fromkeys(rows) if row is not None], np.int64)
        there = there[self.index.has(there)]
        if len(there):
            with self._lock:
                self.index.delete(there)
        return len(there)

    def close(self) -> None:
        """Lets go of the changed items, so that another process may take them up."""
        if self.index is not None:
            self.index.close()

    def _vector(self, item: Upsert) -> Float32[np.ndarray, " dim"]:
        if (item.vector is None) == (item.features is None):
            raise invalid(f"Item {item.id!r} wants either features or a vector: give one of them.")
        if item.vector is not None:
            if len(item.vector) != self.index.dim:
                raise invalid(
                    f"Item {item.id!r} wants a vector of {self.index.dim} entries, got "
                    f"{len(item.vector)}."
                )
            vector = np.array(item.vector, np.float32)
            if not np.all(np.isfinite(vector)):
                raise invalid(f"Item {item.id!r} wants a finite vector: mend or drop it.")
            return vector
        try:
            encoded = self.release.encode_items([item.features or {}])
        except (ValueError, TypeError, ArithmeticError) as error:
            raise invalid(" ".join(str(error).split())) from error
        if not encoded.is_known[0]:
            raise invalid(
                f"Nothing that the model knows is told of item {item.id!r}: tell more features, or "
                "give it a vector."
            )
        return self.release.embed_items(encoded.batch)[0]
