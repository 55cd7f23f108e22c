"""The state of an index as it changes: journals, and new bases built in the background.

One writer at a time; searches never wait. What is built while changes go on gets those changes
before it takes the place of the old base.
"""

import dataclasses
import logging
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from recsys.index import saving
from recsys.index.journal import Change
from recsys.index.keeping import Kept, folded
from recsys.index.recall import AT, accepted
from recsys.index.saving import Built
from recsys.index.segments import State, fresh

LOG = logging.getLogger(__name__)
MOST_NEW = 4_096  # new items, at least, before a base is built anew
NEW_SHARE = 0.02  # of the base
MOST_NEW_BYTES = 1 << 24


class Live:
    """What was built, and what has changed since."""

    def __init__(self, built: Built):
        self.built = built
        self.state = fresh(built.base, built.ids)
        self._kept: Kept | None = None
        self._patience = 1  # doubles whenever a new base was refused
        self._writing = threading.Lock()
        self._building = threading.Lock()
        self._since: list[Change] | None = None  # changes while a base is being built

    def keep(self, directory: Path) -> None:
        """Takes up the changes that a directory holds, and keeps all later ones there.

        Raises:
            ValueError: they are of another index, damaged, or another process has them open.
        """
        if self._kept or self.state.is_changed:
            raise ValueError(f"{directory} wants an index as loaded, got a changed one: load it.")
        kept = Kept(directory, rows=len(self.built.ids), dim=self._dim)
        if kept.base:
            self._take(saving.read(kept.base))
        self.state, self._kept = self._after(kept.changes()), kept

    def close(self) -> None:
        """Lets go of the directory; a base that is being built is waited for."""
        with self._building, self._writing:
            if self._kept:
                self._kept.close()

    def compact(self) -> bool:
        """Builds a base of all items, while searches and changes go on.

        Returns:
            Whether it did; False if another thread is at it.

        Raises:
            RecallError: the new base finds too little, and the old one stays.
        """
        if not self._building.acquire(blocking=False):
            return False
        try:
            with self._writing:
                state, self._since = self.state, []
                number = self._kept.begin() if self._kept else 0
            taken = built = self.rebuilt(state)
            if self._kept:  # and then what was saved, whose vectors are mapped
                base = self._kept.settle(number, lambda partial: saving.write(partial, built))
                taken = saving.read(base)
            with self._writing:
                self._take(taken)
                self.state = self._after(self._since)
        finally:
            self._since = None
            self._building.release()
        return True

    def change(self, change: Change) -> None:
        """Makes a change: kept first, if changes are kept, then seen by the next search."""
        with self._writing:
            if self._kept:
                self._kept.add(change)
            if self._since is not None:
                self._since.append(change)
            self.state = _applied(self.state, change)
        if self._kept and self._is_due() and not self._building.locked():
            threading.Thread(target=self._compact_by_itself, daemon=True).start()

    def _is_due(self) -> bool:
        """Whether so much has changed that a new base is worth its while."""
        state = self.state
        gone = int(np.count_nonzero(~state.is_alive)) if len(state.is_alive) else 0
        limit = self._patience * max(MOST_NEW, NEW_SHARE * len(state.is_alive))
        new_bytes = 4 * self._dim * len(state.new.ids)
        return max(gone, len(state.new.ids)) > limit or new_bytes > self._patience * MOST_NEW_BYTES

    def _compact_by_itself(self) -> None:
        try:
            self.compact()
            self._patience = 1
        except Exception:  # whatever it is, the old base and the journals are whole
            self._patience *= 2
            LOG.exception("A new base of the index was not built, and the old one stays.")

    def rebuilt(self, state: State) -> Built:
        """A base of all items of a state, as good as the floor wants."""
        built = self.built
        ids, vectors = state.all()
        base = built.spec.build(vectors)
        at = built.recall.at if built.recall else AT
        found = accepted(built.spec, base, built.users, goal=built.goal, floor=built.floor, at=at)
        return dataclasses.replace(built, base=base, ids=ids, recall=found)

    @property
    def _dim(self) -> int:
        return self.built.base.shape[1]

    def _take(self, built: Built) -> None:
        self.built, self.state = built, fresh(built.base, built.ids)

    def _after(self, changes: Iterable[Change]) -> State:
        """The state after changes, made in one go."""
        state = self.state
        for change in folded(changes, self._dim):
            state = _applied(state, change)
        return state


def _applied(state: State, change: Change) -> State:
    if not len(change.ids):
        return state
    if change.kind == "delete":
        return state.deleted(change.ids)
    return state.upserted(change.ids, change.vectors)
