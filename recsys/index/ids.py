"""Ids of items, and the rows that hold them."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Int64

from recsys.index.found import NOTHING


@dataclasses.dataclass(frozen=True, eq=False)
class Ids:
    """The id of each row, all of them different."""

    values: Int64[np.ndarray, "rows"]

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, ids: Int64[np.ndarray, "*shape"]) -> Int64[np.ndarray, "*shape"]:
        """The row of each id; NOTHING where none holds it."""
        if not len(self):
            return np.full(ids.shape, NOTHING, np.int64)
        if self._are_rows:
            return np.where((ids >= 0) & (ids < len(self)), ids, NOTHING)
        order = self._order
        place = np.searchsorted(self.values, ids, sorter=order)
        row = order[np.minimum(place, len(self) - 1)]
        return np.where(self.values[row] == ids, row, NOTHING)

    @functools.cached_property
    def _are_rows(self) -> bool:
        """Whether each id is its row, as in a release that nobody has changed."""
        return bool(np.array_equal(self.values, np.arange(len(self.values))))

    @functools.cached_property
    def _order(self) -> Int64[np.ndarray, "rows"]:
        return np.argsort(self.values, kind="stable")


@dataclasses.dataclass(frozen=True, eq=False)
class Allowed:
    """The ids that a search may find: a mask over ids, or the ids themselves."""

    given: Bool[np.ndarray, "catalogue"] | Int64[np.ndarray, "allowed"]

    def among(self, ids: Ids) -> Bool[np.ndarray, "rows"]:
        """Which rows hold an allowed id; an id beyond a mask is not allowed."""
        if self.given.dtype != np.bool_:
            mask = np.zeros(len(ids), bool)
            rows = ids.rows(self.given)
            mask[rows[rows != NOTHING]] = True
            return mask
        if ids._are_rows:
            mask = np.zeros(len(ids), bool)
            mask[: len(self.given)] = self.given[: len(ids)]
            return mask
        inside = (ids.values >= 0) & (ids.values < len(self.given))
        return inside & self.given[np.where(inside, ids.values, 0)]


def once(excluded: Int64[np.ndarray, "queries excluded"]) -> Int64[np.ndarray, "queries excluded"]:
    """The same ids, each once in a row; NOTHING takes the place of repeats."""
    ordered = np.sort(excluded, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = NOTHING
    return ordered


def check_ids(ids: Int64[np.ndarray, "ids"], items: int) -> None:
    """Refuses ids that do not tell items apart.

    Raises:
        ValueError: there is not one for each item, one stands twice, or one means nothing.
    """
    if len(ids) != items:
        raise ValueError(f"Items want an id each, got {len(ids)} ids of {items}: pair them.")
    values, counts = np.unique(ids, return_counts=True)
    if np.any(counts > 1):
        twice = values[counts > 1][0]
        raise ValueError(f"Items want ids of their own, got {twice} twice: drop one.")
    if len(values) and values[0] < 0:
        raise ValueError(f"An item wants an id of at least 0, got {values[0]}: give it another.")
