"""THE INDEX: search, upsert, delete, save and load, the same for every kind.

Changes are seen by the next search. After `keep` they are also on disk before `upsert` and `delete`
return, and the base is built anew in the background when too much has changed since it was built.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64, Integer, Num

from recsys.index import saving
from recsys.index.base import Base, Spec
from recsys.index.checking import allowed_of, checked, excluded_of
from recsys.index.found import Found, Reasons
from recsys.index.ids import check_ids
from recsys.index.journal import Change
from recsys.index.live import Live
from recsys.index.recall import AT, Recall, recall
from recsys.index.saving import Built
from recsys.index.segments import State
from recsys.index.sparse import reasons
from recsys.spec import to_json


@dataclasses.dataclass(frozen=True)
class Stats:
    """What an index is and holds."""

    kind: str  # of the spec
    spec: dict[str, Any]
    items: int
    dim: int
    built: int  # rows of the base
    added: int  # items that are not in the base
    gone: int  # rows of the base that were deleted or replaced
    is_exact: bool
    effort: int  # of a search; 0 where there is no choice
    recall: float | None  # measured when it was built; None: not measured, since it is exact
    recall_at: int


class Index:
    """Items by their vectors, under ids."""

    def __init__(self, built: Built):
        self._live = Live(built)

    @property
    def spec(self) -> Spec:
        """Of which kind."""
        return self._live.built.spec

    @property
    def users(self) -> Float32[np.ndarray, "users dim"] | None:
        """Held-out users that it was measured with."""
        return self._live.built.users

    @property
    def dim(self) -> int:
        """Entries of a vector."""
        return self._live.state.old.base.shape[1]

    @property
    def ids(self) -> Int64[np.ndarray, "items"]:
        """Of the base's rows."""
        return self._live.state.old.ids.values

    @property
    def base(self) -> Base:
        """What was built."""
        return self._live.state.old.base

    def __len__(self) -> int:
        return self._live.state.items

    def search(
        self,
        vectors: Num[np.ndarray, "queries dim"],
        k: int,
        *,
        allowed: Integer[np.ndarray, "allowed"] | Bool[np.ndarray, "catalogue"] | None = None,
        excluded: Integer[np.ndarray, "lists excluded"] | None = None,
    ) -> Found:
        """The best k items of each query.

        Args:
            vectors: Queries.
            k: At least 1. There are k results wherever k items are allowed and not excluded.
            allowed: Ids that may be found, or a mask over ids; None is all.
            excluded: Ids that each query leaves out, padded with -1.
        """
        if k < 1:
            raise ValueError(f"A search wants k of at least 1, got {k}: ask for more.")
        queries = checked(vectors, "Queries", dim=self.dim)
        state = self._live.state
        left_out = excluded_of(excluded, len(queries))
        rows = state.search(queries, k, allowed=allowed_of(allowed), excluded=left_out)
        return Found(rows.rows, rows.scores, self._reasons(state, queries, rows.rows))

    def upsert(self, ids: Integer[np.ndarray, "ids"], vectors: Num[np.ndarray, "rows dim"]) -> None:
        """Adds items, in place of those with the same ids."""
        check_ids(ids.astype(np.int64), len(vectors))
        found = checked(vectors, "Items", dim=self.dim)
        self.spec.check(found)
        self._live.change(Change("upsert", ids.astype(np.int64), found))

    def delete(self, ids: Integer[np.ndarray, "ids"]) -> None:
        """Takes items out; an id that is not there changes nothing."""
        empty = np.zeros((0, self.dim), np.float32)
        self._live.change(Change("delete", ids.astype(np.int64), empty))

    def has(self, ids: Integer[np.ndarray, "ids"]) -> Bool[np.ndarray, "ids"]:
        """Which items are there."""
        return self._live.state.has(ids.astype(np.int64))

    def vectors(self, ids: Integer[np.ndarray, "ids"]) -> Float32[np.ndarray, "ids dim"]:
        """The vectors of items; zeros for an id that is not there."""
        return self._live.state.vectors(ids.astype(np.int64))

    def contributions(
        self, query: Float32[np.ndarray, "dim"], ids: Integer[np.ndarray, "ids"], most: int = 10
    ) -> Reasons:
        """The entries that add most to the scores of items: one query, an item a column."""
        return reasons(query[None], self.vectors(ids)[None], most)

    def measured(self, users: Float32[np.ndarray, "users dim"], *, at: int = AT) -> Recall:
        """The recall of the base as it is now, with the rows that still count."""
        state = self._live.state
        mask = state.is_alive if state.is_changed else None
        return recall(state.old.base, users, mask=mask, at=at)

    def stats(self) -> Stats:
        state = self._live.state
        base, found = state.old.base, self._live.built.recall
        return Stats(
            kind=type(self.spec).__name__,
            spec=to_json(self.spec),
            items=state.items,
            dim=self.dim,
            built=base.shape[0],
            added=len(state.new.ids),
            gone=int(np.count_nonzero(~state.is_alive)),
            is_exact=base.is_exact,
            effort=base.effort,
            recall=found.value if found else None,
            recall_at=found.at if found else AT,
        )

    def save(self, directory: Path) -> None:
        """Writes the index into an empty or new directory, with all changes built in."""
        live, state = self._live, self._live.state
        saving.write(directory, live.rebuilt(state) if state.is_changed else live.built)

    @staticmethod
    def load(directory: Path) -> "Index":
        """The index that was saved there; vectors are mapped, not read.

        Raises:
            ValueError: it is not whole.
        """
        return Index(saving.read(directory))

    def keep(self, directory: Path) -> None:
        """Takes up the changes that a directory holds, and keeps all later ones there.

        Raises:
            ValueError: they are of another index, damaged, or another process has them open.
        """
        self._live.keep(directory)

    def compact(self) -> bool:
        """Builds a base of all items, while searches and changes go on; False: it is at it."""
        return self._live.compact()

    def close(self) -> None:
        """Lets go of the directory; a base that is being built is waited for."""
        self._live.close()

    def _reasons(
        self,
        state: State,
        queries: Float32[np.ndarray, "queries dim"],
        ids: Int64[np.ndarray, "queries k"],
    ) -> Reasons | None:
        most = state.old.base.reasons
        if not most:
            return None
        vectors = state.vectors(ids.ravel()).reshape(*ids.shape, self.dim)
        return reasons(queries, vectors, most)
