"""A journal: changes on disk, in their order, before anyone is told that they were made.

A record is its length, the CRC-32 of its bytes, the CRC-32 of these two, and its bytes. What a
process was writing when it died is a broken record at the end, and nobody was told of it: it is cut
off. Any other broken record is damage, and refused.
"""

import dataclasses
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import Float32, Int64

from recsys.durable import sync

HEAD = struct.Struct("<III")  # length and CRC-32 of what follows; CRC-32 of these two
CHANGE = struct.Struct("<BII")  # what it is, ids, entries of a vector
BEGIN, UPSERT, DELETE = 0, 1, 2


@dataclasses.dataclass(frozen=True, eq=False)
class Change:
    """Items that were added, replaced or deleted in one go."""

    kind: Literal["upsert", "delete"]
    ids: Int64[np.ndarray, "ids"]
    vectors: Float32[np.ndarray, "rows dim"]  # one for each id; none for a deletion


class Journal:
    """A file that changes are added to. One process writes it."""

    def __init__(self, path: Path, *, rows: int, dim: int):
        """Opens a journal, or begins one.

        Args:
            path: Of the file.
            rows: Of the base that the changes are made to; another base is refused.
            dim: Of its vectors.
        """
        self.path = path
        self._begin = struct.pack("<BQI", BEGIN, rows, dim)
        self._is_broken = False
        self._file = _locked(path)
        try:
            self._end = self._opened()
        except Exception:
            self._file.close()
            raise

    def changes(self) -> Iterator[Change]:
        """Every change, in the order in which they were made."""
        records = _records(self.path.read_bytes(), self.path)
        next(records)
        for payload, _ in records:
            yield _change(payload)

    def add(self, change: Change) -> None:
        """Writes a change; when this returns it is on disk.

        Raises:
            OSError: it is not, and the journal is as before.
        """
        kind = UPSERT if change.kind == "upsert" else DELETE
        dim = change.vectors.shape[1]
        parts = [CHANGE.pack(kind, len(change.ids), dim), change.ids.astype("<i8").tobytes()]
        self._append(b"".join([*parts, change.vectors.astype("<f4").tobytes()]))

    def close(self) -> None:
        self._file.close()

    def _opened(self) -> int:
        """Cuts off what was not whole, or begins the journal; where it ends."""
        self._end = _whole(self.path)
        self._file.truncate(self._end)
        self._file.seek(self._end)
        if not self._end:
            self._append(self._begin)
            sync(self.path.parent)
        elif next(_records(self.path.read_bytes(), self.path))[0] != self._begin:
            raise ValueError(
                f"{self.path} holds changes to another index than this one: give each release a "
                "directory of its own."
            )
        return self._end

    def _append(self, payload: bytes) -> None:
        if self._is_broken:
            raise OSError(f"{self.path} could not be written before: restart to go on.")
        try:
            record = memoryview(_head(payload) + payload)
            while record:
                record = record[self._file.write(record) or 0 :]
        except OSError:
            self._is_broken = True
            self._file.truncate(self._end)
            self._file.seek(self._end)
            self._is_broken = False
            raise
        self._is_broken = True  # after a failed fsync nobody knows what is on disk
        os.fsync(self._file.fileno())
        self._is_broken = False
        self._end += HEAD.size + len(payload)


def _head(payload: bytes) -> bytes:
    told = struct.pack("<II", len(payload), zlib.crc32(payload))
    return told + struct.pack("<I", zlib.crc32(told))


def _records(data: bytes, path: Path) -> Iterator[tuple[bytes, int]]:
    """Whole records and where each ends, up to a broken end.

    Raises:
        ValueError: a record is broken and is not what a process left behind that died.
    """
    start = 0
    while start + HEAD.size <= len(data):
        length, crc, _ = HEAD.unpack_from(data, start)
        body, stop = start + HEAD.size, start + HEAD.size + length
        is_head = data[body - 4 : body] == struct.pack("<I", zlib.crc32(data[start : body - 4]))
        if is_head and stop <= len(data) and zlib.crc32(data[body:stop]) == crc:
            yield data[body:stop], stop
            start = stop
            continue
        was_cut = stop >= len(data) if is_head else not data[start:].strip(b"\0")
        if not was_cut:
            raise ValueError(
                f"{path} is damaged at byte {start}, with changes behind it: bring it back from a "
                "copy, or move it away and make the changes again."
            )
        return


def _locked(path: Path) -> BinaryIO:
    """The file, which no other process may write while it is open."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ValueError(
            f"{path} is written by another process: stop it, or give this one another directory."
        ) from error
    return file


def _whole(path: Path) -> int:
    """Where the last whole record ends."""
    return max((stop for _, stop in _records(path.read_bytes(), path)), default=0)


def _change(payload: bytes) -> Change:
    kind, count, dim = CHANGE.unpack_from(payload)
    ids = np.frombuffer(payload, "<i8", count, CHANGE.size).astype(np.int64)
    flat = np.frombuffer(payload, "<f4", -1, CHANGE.size + 8 * count).astype(np.float32)
    rows = count if kind == UPSERT else 0
    return Change("upsert" if kind == UPSERT else "delete", ids, flat.reshape(rows, dim))
