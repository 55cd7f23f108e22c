"""Writing a store: aside, and renamed when all is on disk, so it exists whole or not at all."""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from recsys.data.catalogue import Called, Calling
from recsys.data.record import Events, Record, Words, event_fields
from recsys.data.shards import DigestedFile, ShardWriter
from recsys.data.store import (
    CATALOGUE,
    FORMAT,
    MANIFEST,
    REJECTED,
    VOCABULARY,
    manifest_digest,
)
from recsys.durable import sync
from recsys.features import Schema, Vocabulary
from recsys.spec import to_json

SHARD_BYTES = 2**30


class StoreWriter:
    """A store in the making; leaves nothing behind unless `finish` was called.

    with StoreWriter(path, schema) as writer:
        writer.add("train", batch, Events())
        writer.finish()
    """

    def __init__(
        self,
        path: str | Path,
        schema: Schema,
        vocabularies: Mapping[str, Vocabulary] | None = None,
        *,
        splits: tuple[str, ...] = ("train",),
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        """Writes to a folder that does not exist yet.

        Args:
            path: Of the store.
            schema: Whose transforms are learned.
            vocabularies: By feature.
            splits: Their names; one that stays empty is left out.
            shard_bytes: About how large a file may grow.
        """
        self.path = Path(path).absolute()
        refuse_existing(self.path)
        self.folder = self.path.with_name(f".{self.path.name}.partial")
        self._schema, self._vocabularies = schema, vocabularies or {}
        self._splits, self._shard_bytes = splits, shard_bytes
        self._record, self._fields = Record.of(schema), event_fields(schema)
        self._examples: dict[str, ShardWriter] = {}
        self._events: dict[str, ShardWriter] = {}
        self._rejected: DigestedFile | None = None
        self._calling = Calling()
        self._is_finished = False

    def __enter__(self) -> "StoreWriter":
        self._lock = _claim(self.folder)
        sizes = {"folder": self.folder, "shard_bytes": self._shard_bytes}
        for name in self._splits:
            (self.folder / name).mkdir()
            self._examples[name] = ShardWriter(
                name=f"{name}/examples", width=self._record.width, **sizes
            )
            if self._fields:
                self._events[name] = ShardWriter(
                    name=f"{name}/events", width=Events.width(self._fields), **sizes
                )
        return self

    def add(self, split: str, examples: Words, events: Events | None = None) -> None:
        """Writes examples behind those of their split.

        Args:
            split: Its name.
            examples: As `Record.pack` makes them.
            events: Of the same rows, where the schema names a user, an item or a timestamp.
        """
        with self._writing():
            self._examples[split].add(examples)
            if self._fields:
                assert events is not None
                self._events[split].add(events.pack())

    def reject(self, line: str) -> None:
        """Writes a line to the file of rejected rows, which is there only if there are any."""
        with self._writing():
            if self._rejected is None:
                self._rejected = DigestedFile(self.folder / REJECTED)
            self._rejected.write(line.encode())

    def call(self, items: Called) -> None:
        """Takes note of what items are called."""
        self._calling.add(items)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Says in one sentence what a full disk means for the store."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"The store {self.path} could not be written whole ({error.strerror}), and nothing "
                "of it is left: make room, or choose another folder."
            ) from error

    def finish(self, *, report: Mapping[str, Any] | None = None) -> None:
        """Gives the store its name.

        Args:
            report: What to remember of the import: plain JSON.
        """
        with self._writing():
            spaces, vocabularies, known = self._write_vocabularies()
            if self._rejected is not None:
                known[REJECTED] = self._rejected.close()
            items = self._calling.finish()
            if len(items):
                file = DigestedFile(self.folder / CATALOGUE)
                file.write(items.to_bytes())
                known[CATALOGUE] = file.close()
            splits: dict[str, dict[str, Any]] = {}
            for part, writers in (("examples", self._examples), ("events", self._events)):
                for name, writer in writers.items():
                    writer.close()
                    known |= writer.files
                    if writer.shards:
                        splits.setdefault(name, {})[part] = writer.shards
            content = {
                "format": FORMAT,
                "schema": to_json(self._schema),
                "splits": splits,
                "spaces": spaces,
                "vocabularies": vocabularies,
                "files": known,
                "report": dict(report or {}),
            }
            content["digest"] = manifest_digest(content)
            text = json.dumps(content, indent=1) + "\n"
            (self.folder / MANIFEST).write_text(text)
            for part in (*self.folder.rglob("*"), self.folder):
                sync(part)
            self.folder.rename(self.path)
            self._is_finished = True
            sync(self.path.parent)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in (*self._examples.values(), *self._events.values()):
            writer.drop()
        if self._rejected is not None:
            self._rejected.drop()
        if not self._is_finished:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    def _write_vocabularies(
        self,
    ) -> tuple[dict[str, str], dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Each different one once: which features have it, what it holds, and its file."""
        numbers: dict[int, str] = {}
        spaces, entries, known = {}, {}, {}
        for feature, vocabulary in self._vocabularies.items():
            number = numbers.setdefault(id(vocabulary), str(len(numbers)))
            spaces[feature] = number
            if number in entries:
                continue
            file = DigestedFile(self.folder / f"vocabulary-{number}")
            lengths = {}
            for name, kind in VOCABULARY.items():
                array = getattr(vocabulary, name)
                lengths[name] = len(array)
                if len(array):
                    file.write(np.asarray(array, kind))
            known[f"vocabulary-{number}"] = file.close()
            entries[number] = {"file": f"vocabulary-{number}", "lengths": lengths}
        return spaces, entries, known


def refuse_existing(path: Path) -> None:
    """Refuses to write over anything."""
    if path.exists():
        raise FileExistsError(
            f"A store is written once, and {path} is there already: choose another folder, or "
            "delete it."
        )


def _claim(folder: Path) -> int:
    """Makes the folder; in place of one that a killed import has left, which holds no lock."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise FileExistsError(
            f"A store is written by one import, and another is at work in {folder}: wait for it, "
            "or choose another folder."
        ) from error
    for leftover in folder.iterdir():
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return lock
