"""Fixed-width rows of 32-bit words in files of some size: written once, then mapped into memory."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from jaxtyping import Integer

from recsys.data.record import WORD, Words

READ_BYTES = 2**22  # at a time, for a digest


class Shards:
    """Rows of several files, by number."""

    def __init__(self, paths: Sequence[Path], *, rows: Sequence[int], width: int) -> None:
        """Maps files that hold so many rows each."""
        self.width = width
        self._paths = list(paths)
        self._maps = [
            np.asarray(np.memmap(path, WORD, "r", shape=(count, width)))
            for path, count in zip(paths, rows, strict=True)
        ]
        self._stops = np.cumsum(list(rows), dtype=np.int64)

    def __len__(self) -> int:
        """How many rows."""
        return int(self._stops[-1]) if len(self._stops) else 0

    def take(self, indices: Integer[np.ndarray, "taken"] | slice) -> Words:
        """Some of the rows, in this order; a slice within one file is not copied."""
        if isinstance(indices, slice):
            start, stop, step = indices.indices(len(self))
            if step != 1:
                return self.take(np.arange(start, stop, step))
            return self._range(start, max(start, stop))
        if len(self._maps) == 1:
            return self._maps[0].take(indices, axis=0)
        indices = self._from_front(indices)
        taken = np.empty((len(indices), self.width), WORD)
        shard = np.searchsorted(self._stops, indices, side="right")
        for number in np.unique(shard).tolist():
            there = np.flatnonzero(shard == number)
            first = self._stops[number] - len(self._maps[number])
            taken[there] = self._maps[number].take(indices[there] - first, axis=0)
        return taken

    def fetch(self, start: int, stop: int) -> None:
        """Has rows read into the memory of the operating system, as fast as files are read.

        Looking at mapped rows would do, and waits for the disk at every few pages.
        """
        room = memoryview(bytearray(READ_BYTES))
        row_bytes = self.width * WORD.itemsize
        for path, rows, end in zip(self._paths, self._maps, self._stops.tolist(), strict=True):
            first = end - len(rows)
            place, behind = max(start, first) - first, min(stop, end) - first
            if place < behind:
                with path.open("rb", buffering=0) as file:
                    file.seek(place * row_bytes)
                    left = (behind - place) * row_bytes
                    while left and (count := file.readinto(room[:left])):
                        left -= count

    def _from_front(self, indices: Integer[np.ndarray, "taken"]) -> Integer[np.ndarray, "taken"]:
        counted = np.where(indices < 0, indices + len(self), indices)
        bad = (counted < 0) | (counted >= len(self))
        if bad.any():
            raise IndexError(
                f"Examples are numbered from 0 to {len(self) - 1}, got {indices[bad][0]}: ask for "
                "one of those."
            )
        return counted

    def _range(self, start: int, stop: int) -> Words:
        parts = []
        for rows, end in zip(self._maps, self._stops.tolist(), strict=True):
            first = end - len(rows)
            if first < stop and end > start:
                parts.append(rows[max(start - first, 0) : stop - first])
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.zeros((0, self.width), WORD), *parts])


class ShardWriter:
    """Rows into files `NAME-00000`, `NAME-00001`, ... of a folder, with the digest of each."""

    def __init__(self, folder: Path, name: str, *, width: int, shard_bytes: int) -> None:
        """Begins with no file."""
        self.width = width
        self.shards: list[dict[str, Any]] = []  # file, rows
        self.files: dict[str, dict[str, Any]] = {}  # file -> bytes, digest
        self._folder, self._name = folder, name
        self._most = max(1, shard_bytes // (width * WORD.itemsize))  # rows of a file
        self._file: DigestedFile | None = None

    def add(self, rows: Words) -> None:
        """Writes rows behind those that are there."""
        while len(rows):
            if self._file is None:
                path = f"{self._name}-{len(self.shards):05d}"
                self.shards.append({"file": path, "rows": 0})
                self._file = DigestedFile(self._folder / path)
            shard = self.shards[-1]
            part, rows = np.split(rows, [self._most - shard["rows"]])
            self._file.write(part)
            shard["rows"] += len(part)
            if shard["rows"] == self._most:
                self.close()

    def close(self) -> None:
        """Makes sure that all is on disk."""
        if self._file is not None:
            self.files[self.shards[-1]["file"]] = self._file.close()
            self._file = None

    def drop(self) -> None:
        """Closes what is open, for a store that will not be."""
        if self._file is not None:
            self._file.drop()


class DigestedFile:
    """A file that knows its digest when it is written."""

    def __init__(self, path: Path) -> None:
        """Creates the file."""
        self._file = path.open("wb", buffering=0)
        self._digest = xxhash.xxh3_128()  # against accidents, not attackers: faster than any disk
        self._bytes = 0

    def write(self, content: np.ndarray | bytes) -> None:
        """Adds the bytes of an array, or some bytes."""
        is_bytes = isinstance(content, bytes)
        data = memoryview(content) if is_bytes else np.ascontiguousarray(content).data.cast("B")
        self._digest.update(data)
        self._bytes += len(data)
        while len(data):  # a disk that is nearly full takes a part
            data = data[self._file.write(data) :]

    def close(self) -> dict[str, Any]:
        """Makes sure that all is on disk; returns its size and digest."""
        os.fsync(self._file.fileno())
        self._file.close()
        return {"bytes": self._bytes, "digest": self._digest.hexdigest()}

    def drop(self) -> None:
        """Closes the file, whatever is in it."""
        self._file.close()


def digest(path: Path) -> dict[str, Any]:
    """The size and digest of a file, read in pieces."""
    found = xxhash.xxh3_128()
    with path.open("rb") as file:
        while piece := file.read(READ_BYTES):
            found.update(piece)
    return {"bytes": path.stat().st_size, "digest": found.hexdigest()}
