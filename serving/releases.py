"""Which release answers: verified and warm before it does, swapped in one move, rolled back in one.

A request keeps the release that it began with. What is no longer served stays open for a roll back
until the next swap, and is closed when the last request that it answers is done. What was rolled
back is noted on disk: a start prefers another, though it may be older.
"""

import dataclasses
import json
import logging
import random
import threading
from pathlib import Path
from typing import Any

from recsys.release import ReleaseError
from recsys.release.manifest import MANIFEST, read_manifest
from serving.loaded import Loaded
from serving.messages import ReleaseState
from serving.metrics import Metrics
from serving.refusals import RefusalError, conflict, unavailable, unknown
from serving.settings import Settings

LOG = logging.getLogger("serving")
LEFT = "rolled-back.json"  # ids of releases that were rolled back


class Releases:
    """The releases of a folder."""

    def __init__(self, settings: Settings, metrics: Metrics):
        self._settings, self._metrics = settings, metrics
        self.active: Loaded | None = None
        self.previous: Loaded | None = None
        self.canary: Loaded | None = None
        self.share = 0.0  # of the requests that the canary answers
        self._in_use: dict[int, int] = {}
        self._retired: dict[int, Loaded] = {}
        self._swapping = threading.Lock()
        self._counting = threading.Lock()
        self._random = random.Random()

    def folders(self) -> dict[Path, dict[str, Any]]:
        """Every release there is, the newest first; what cannot be read is left out."""
        path = self._settings.releases
        is_one = (path / MANIFEST).is_file()
        folders = [path] if is_one else [each.parent for each in path.glob(f"[!.]*/{MANIFEST}")]
        found = {}
        for folder in sorted(folders):
            try:
                found[folder] = read_manifest(folder)
            except ReleaseError as error:
                LOG.warning("A release is left out: %s", error)
        return dict(sorted(found.items(), key=lambda item: item[1]["created"], reverse=True))

    def start(self) -> None:
        """Activates the newest release that can be trusted, and that nobody rolled back if it can.

        Raises:
            ReleaseError: there is none.
        """
        wrong: Exception = ReleaseError(
            f"{self._settings.releases} holds no release: make one with recsys export."
        )
        left = self._left()
        folders = self.folders()
        for folder in sorted(folders, key=lambda each: folders[each]["id"] in left):
            try:
                self._swap(self._open(folder), "start")
                return
            except (ValueError, OSError) as error:
                LOG.error("A release is refused: %s", " ".join(str(error).split()))
                wrong = error
        raise wrong

    def take(self) -> Loaded:
        """The release for a request, which must `give` it back.

        Raises:
            RefusalError: none is ready.
        """
        with self._counting:
            canary = self.canary
            loaded = self.active
            if canary is not None and self._random.random() < self.share:
                loaded = canary
            if loaded is None:
                raise unavailable("No release is ready yet: come back in a second.")
            self._in_use[id(loaded)] = self._in_use.get(id(loaded), 0) + 1
            return loaded

    def give(self, loaded: Loaded) -> None:
        """A request is done with its release."""
        with self._counting:
            self._in_use[id(loaded)] -= 1
            is_last = not self._in_use[id(loaded)]
            if is_last:
                del self._in_use[id(loaded)]
            closes = is_last and self._retired.pop(id(loaded), None) is not None
        if closes:
            loaded.close()

    def activate(self, name: str) -> None:
        """Loads a release and lets it answer from now on; a bad one is refused, the old goes on.

        Raises:
            RefusalError: it is unknown or cannot be trusted.
        """
        with self._swapping:
            loaded = self._ready(name)
            self._leave(self._left() - {loaded.id})
            self._swap(loaded, "activate")

    def roll_back(self) -> None:
        """Lets the release before answer again.

        Raises:
            RefusalError: there is none.
        """
        with self._swapping:
            if self.previous is None:
                raise conflict("There is no release before this one to roll back to.")
            assert self.active is not None
            self._leave(self._left() - {self.previous.id} | {self.active.id})
            self._swap(self.previous, "roll_back")

    def let_try(self, name: str, share: float) -> None:
        """Lets a release answer a share of the requests.

        Raises:
            RefusalError: it is unknown, cannot be trusted, or answers already.
        """
        with self._swapping:
            loaded = self._ready(name) if share else None
            if loaded is not None and loaded is self.active:
                raise conflict(f"Release {loaded.id} answers already: name another one.")
            with self._counting:
                old, self.canary, self.share = self.canary, loaded, share
            self._retire(old)
            self._tell("canary")

    def states(self) -> list[ReleaseState]:
        """What there is, and what each does."""
        found = []
        for folder, manifest in self.folders().items():
            state, share, loaded = "ready", 0.0, None
            for name in ("previous", "canary", "active"):
                one: Loaded | None = getattr(self, name)
                if one is not None and one.id == manifest["id"]:
                    state, loaded = name, one
                    share = {"canary": self.share, "active": 1 - self.share}.get(name, 0.0)
            keys = ("id", "name", "task", "space_id", "created", "parent", "quality")
            told: dict[str, Any] = {key: manifest.get(key) for key in keys}
            index = None if loaded is None else loaded.index
            stats = None if index is None else dataclasses.asdict(index.stats())
            found.append(
                ReleaseState(**told, folder=folder.name, state=state, share=share, index=stats)
            )
        return found

    def close(self) -> None:
        """Lets go of every release."""
        with self._swapping, self._counting:
            for loaded in {id(one): one for one in self._open_ones()}.values():
                loaded.close()

    def _left(self) -> set[str]:
        """The releases that were rolled back and not activated again."""
        path = self._settings.folder / LEFT
        try:
            return set(json.loads(path.read_bytes())) if path.is_file() else set()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path} wants a list of ids and is damaged: remove it.") from error

    def _leave(self, ids: set[str]) -> None:
        """Notes which those are, for the next start."""
        path = self._settings.folder / LEFT
        if ids != self._left():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.draft")
            draft.write_text(json.dumps(sorted(ids)))
            draft.replace(path)

    def _open_ones(self) -> list[Loaded]:
        served = [self.active, self.previous, self.canary]
        return [*filter(None, served), *self._retired.values()]

    def _ready(self, name: str) -> Loaded:
        """A release by its id or its folder's name, open already or opened now."""
        for folder, manifest in self.folders().items():
            if name in (manifest["id"], folder.name):
                with self._counting:  # one that waits for its last request is not closed then
                    opened = [one for one in self._open_ones() if one.id == manifest["id"]]
                    for one in opened:
                        self._retired.pop(id(one), None)
                return opened[0] if opened else self._open(folder)
        raise unknown(f"There is no release {name!r} in the folder that is served.")

    def _open(self, folder: Path) -> Loaded:
        try:
            return Loaded.open(folder, self._settings.folder, buckets=self._settings.buckets)
        except (ValueError, OSError) as error:
            if self.active is None:
                raise
            sentence = " ".join(str(error).split())
            LOG.error("A release is refused: %s", sentence)
            raise RefusalError("refused", f"{sentence} The release before goes on.") from error

    def _swap(self, loaded: Loaded, how: str) -> None:
        """One move under the lock by which requests take their release."""
        if loaded is self.active:
            return
        with self._counting:
            old, before = self.active, self.previous
            self.active, self.previous = loaded, old
            if self.canary is loaded:
                self.canary, self.share = None, 0.0
            self._retired.pop(id(loaded), None)
        if before is not loaded:
            self._retire(before)
        self._tell(how)

    def _retire(self, loaded: Loaded | None) -> None:
        """Closes a release, at once or when its last request is done."""
        if loaded is None or loaded in (self.active, self.previous, self.canary):
            return
        with self._counting:
            if id(loaded) in self._in_use:
                self._retired[id(loaded)] = loaded
                return
        loaded.close()

    def _tell(self, how: str) -> None:
        self._metrics.swaps.labels(how).inc()
        self._metrics.release.clear()
        for loaded, share in ((self.canary, self.share), (self.active, 1 - self.share)):
            if loaded is not None:
                self._metrics.release.labels(loaded.id, loaded.space_id).set(share)
        LOG.info("release", extra={"told": {"how": how, "active": self.active and self.active.id}})
