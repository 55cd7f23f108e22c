"""Filters over the columns of items: which rows a request lets through."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Bool

from serving.catalogue import Catalogue
from serving.messages import Filter, Range
from serving.refusals import invalid

KEPT = 128  # masks, the latest
MOST_VALUES = 1_000  # of one filter


class Filters:
    """Masks of filters, each worked out once."""

    def __init__(self, catalogue: Catalogue):
        self._catalogue = catalogue
        self._masks: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._columns: dict[str, Any] = {}
        self._version = catalogue.version
        self._lock = threading.Lock()

    def mask(self, asked: Filter) -> Bool[np.ndarray, " rows"] | None:
        """The rows that a filter lets through; None is all.

        Raises:
            RefusalError: it names a column that items do not have.
        """
        if not asked:
            return None
        key = msgspec.json.encode(asked, order="deterministic")
        with self._lock:
            if self._version != self._catalogue.version:
                self._masks.clear()
                self._columns.clear()
                self._version = self._catalogue.version
            if key not in self._masks:
                parts = [self._column(name, wanted) for name, wanted in asked.items()]
                self._masks[key] = np.logical_and.reduce(parts)
            self._masks.move_to_end(key)
            while len(self._masks) > KEPT:
                self._masks.popitem(last=False)
            return self._masks[key]

    def _column(self, name: str, wanted: Any) -> Bool[np.ndarray, " rows"]:
        if name not in self._catalogue.columns:
            known = ", ".join(self._catalogue.columns) or "none"
            raise invalid(f"Items have no column {name!r} to filter by: they have {known}.")
        if isinstance(wanted, Range):
            return self._between(name, wanted)
        if len(wanted) > MOST_VALUES:
            raise invalid(
                f"A filter takes at most {MOST_VALUES} values, got {len(wanted)}: use a range."
            )
        mask = np.zeros(len(self._catalogue), bool)
        holders = self._holders(name)
        for value in wanted:
            mask[holders.get(value, [])] = True
        return mask

    def _between(self, name: str, wanted: Range) -> Bool[np.ndarray, " rows"]:
        low, high = wanted.min, wanted.max
        kinds = {isinstance(bound, str) for bound in (low, high) if bound is not None}
        if len(kinds) > 1:
            raise invalid(f"The range of {name!r} wants two numbers or two texts, got one of each.")
        kind: Any = str if kinds == {True} else (int, float)

        def is_inside(value: Any) -> bool:
            return (
                isinstance(value, kind)
                and (low is None or value >= low)
                and (high is None or value <= high)
            )

        return np.array([is_inside(value) for value in self._catalogue.column(name)], bool)

    def _holders(self, name: str) -> Mapping[Any, list[int]]:
        """The rows that hold each value; an item whose cell is a list holds all of it."""
        if name not in self._columns:
            found: dict[Any, list[int]] = {}
            for row, cell in enumerate(self._catalogue.column(name)):
                for value in cell if isinstance(cell, list) else [cell]:
                    if isinstance(value, str | int | float):
                        found.setdefault(value, []).append(row)
            self._columns[name] = found
        return self._columns[name]
