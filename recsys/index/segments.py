"""What an index holds at one moment: a base that was built, and what has changed since.

A state never changes. A search keeps the state it began with, a writer puts a new one in its
place; neither waits for the other.
"""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index import planning
from recsys.index.base import Base
from recsys.index.exact import ExactBase
from recsys.index.found import NOTHING, Rows, merged
from recsys.index.ids import Allowed, Ids


@dataclasses.dataclass(frozen=True, eq=False)
class Segment:
    """Rows of vectors and their ids."""

    base: Base
    ids: Ids

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        *,
        mask: Bool[np.ndarray, "rows"] | None,
        excluded: Int64[np.ndarray, "queries excluded"],
    ) -> Rows:
        """The best k of each query, by id."""
        rows = self.ids.rows(excluded)
        found = planning.search(self.base, queries, k, mask=mask, excluded=rows)
        if not len(self.ids):
            return found
        ids = np.where(found.rows == NOTHING, NOTHING, self.ids.values[found.rows])
        return Rows(ids, found.scores)


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """A base, which of its rows still count, and the rows that are new."""

    old: Segment
    is_alive: Bool[np.ndarray, "rows"]  # of the old rows: neither deleted nor replaced
    new: Segment

    @functools.cached_property
    def is_changed(self) -> bool:
        """Whether the base is no longer the whole truth."""
        return bool(len(self.new.ids)) or not self.is_alive.all()

    @functools.cached_property
    def items(self) -> int:
        """How many items there are."""
        return int(np.count_nonzero(self.is_alive)) + len(self.new.ids)

    def search(
        self,
        queries: Float32[np.ndarray, "queries dim"],
        k: int,
        *,
        allowed: Allowed | None,
        excluded: Int64[np.ndarray, "queries excluded"],
    ) -> Rows:
        """The best k of each query, by id, among old and new rows."""
        mask = None if allowed is None else allowed.among(self.old.ids)
        if self.is_changed:
            mask = self.is_alive if mask is None else mask & self.is_alive
        found = self.old.search(queries, k, mask=mask, excluded=excluded)
        if not len(self.new.ids):
            return found
        mask = None if allowed is None else allowed.among(self.new.ids)
        return merged(found, self.new.search(queries, k, mask=mask, excluded=excluded), k)

    def upserted(
        self, ids: Int64[np.ndarray, "ids"], vectors: Float32[np.ndarray, "ids dim"]
    ) -> "State":
        """The state with these items added or replaced."""
        kept = self.deleted(ids)
        all_ids = np.concatenate([kept.new.ids.values, ids])
        every = np.concatenate([_vectors(kept.new), vectors])
        return dataclasses.replace(kept, new=Segment(ExactBase(every), Ids(all_ids)))

    def deleted(self, ids: Int64[np.ndarray, "ids"]) -> "State":
        """The state without these items; an id that is not there changes nothing."""
        rows = self.old.ids.rows(ids)
        is_alive = self.is_alive.copy()
        is_alive[rows[rows != NOTHING]] = False
        new, gone = self.new, self.new.ids.rows(ids)
        if np.any(gone != NOTHING):
            keeps = np.ones(len(new.ids), bool)
            keeps[gone[gone != NOTHING]] = False
            new = Segment(ExactBase(_vectors(new)[keeps]), Ids(new.ids.values[keeps]))
        return State(self.old, is_alive, new)

    def has(self, ids: Int64[np.ndarray, "ids"]) -> Bool[np.ndarray, "ids"]:
        """Which of the ids are there."""
        rows = self.old.ids.rows(ids)
        old = (rows != NOTHING) & self.is_alive[rows] if len(self.is_alive) else rows != NOTHING
        return old | (self.new.ids.rows(ids) != NOTHING)

    def vectors(self, ids: Int64[np.ndarray, "ids"]) -> Float32[np.ndarray, "ids dim"]:
        """The vectors of items; zeros for an id that is not there."""
        found = np.zeros((len(ids), self.old.base.shape[1]), np.float32)
        for segment in (self.old, self.new):
            rows = segment.ids.rows(ids)
            there = rows != NOTHING
            if np.any(there):
                found[there] = segment.base.vectors(rows[there])
        found[~self.has(ids)] = 0
        return found

    def all(self) -> tuple[Int64[np.ndarray, "items"], Float32[np.ndarray, "items dim"]]:
        """Every item: what the next base is built of."""
        rows = np.flatnonzero(self.is_alive)
        ids = np.concatenate([self.old.ids.values[rows], self.new.ids.values])
        order = np.argsort(ids, kind="stable")  # so that an unbroken catalogue has ids like rows
        vectors = np.concatenate([self.old.base.vectors(rows), _vectors(self.new)])
        return ids[order], vectors[order]


def fresh(base: Base, ids: Int64[np.ndarray, "rows"]) -> State:
    """A state in which nothing has changed."""
    empty = np.zeros((0, base.shape[1]), np.float32)
    new = Segment(ExactBase(empty), Ids(np.zeros(0, np.int64)))
    return State(Segment(base, Ids(ids)), np.ones(len(ids), bool), new)


def _vectors(segment: Segment) -> Float32[np.ndarray, "rows dim"]:
    return segment.base.vectors(np.arange(len(segment.ids)))
