"""What a journal holds after a process died in the middle, or a disk lied."""

import os
from pathlib import Path

import numpy as np
import pytest

from recsys.index.journal import Change, Journal

CHANGES = [
    Change("upsert", np.array([3, 5]), np.arange(8, dtype=np.float32).reshape(2, 4)),
    Change("delete", np.array([3]), np.zeros((0, 4), np.float32)),
    Change("upsert", np.array([9]), np.ones((1, 4), np.float32)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three changes."""
    journal = opened(tmp_path / "journal-0")
    for change in CHANGES:
        journal.add(change)
    journal.close()
    return journal.path


def opened(path: Path) -> Journal:
    return Journal(path, rows=10, dim=4)


def read(path: Path) -> list[tuple[str, list[int]]]:
    journal = opened(path)
    found = [(change.kind, change.ids.tolist()) for change in journal.changes()]
    journal.close()
    return found


def ends(path: Path) -> list[int]:
    """Where each record ends, by writing them one by one."""
    fresh = opened(path.with_name("measured"))
    found = [fresh.path.stat().st_size]
    for change in CHANGES:
        fresh.add(change)
        found.append(fresh.path.stat().st_size)
    fresh.close()
    return found


WHOLE = [("upsert", [3, 5]), ("delete", [3]), ("upsert", [9])]


def test_changes_come_back_in_their_order(path: Path):
    journal = opened(path)
    for wrote, found in zip(CHANGES, journal.changes(), strict=True):
        assert wrote.kind == found.kind
        np.testing.assert_array_equal(wrote.ids, found.ids)
        np.testing.assert_array_equal(wrote.vectors, found.vectors)
    journal.close()


def test_a_journal_cut_anywhere_holds_the_whole_changes_before(path: Path):
    data, stops = path.read_bytes(), ends(path)
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert read(path) == WHOLE[: max(sum(stop <= size for stop in stops) - 1, 0)]


def test_a_journal_that_was_cut_goes_on(path: Path):
    os.truncate(path, path.stat().st_size - 1)
    journal = opened(path)
    journal.add(CHANGES[1])
    journal.close()
    assert read(path) == [*WHOLE[:2], WHOLE[1]]


def test_zeros_behind_the_last_change_are_cut_off(path: Path):
    with path.open("ab") as file:
        file.write(bytes(500))
    assert read(path) == WHOLE


def test_a_flipped_bit_before_the_last_change_is_refused(path: Path):
    data, stops = path.read_bytes(), ends(path)
    for place in range(stops[-2]):
        broken = bytearray(data)
        broken[place] ^= 4
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"journal-0 is damaged at byte \d+"):
            read(path)


def test_a_journal_of_another_index_is_refused(path: Path):
    with pytest.raises(ValueError, match="another index"):
        Journal(path, rows=11, dim=4)


def test_two_do_not_write_one_journal(path: Path):
    journal = opened(path)
    with pytest.raises(ValueError, match="written by another process"):
        opened(path)
    journal.close()


def test_a_full_disk_leaves_the_journal_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = opened(path)

    class Full:
        """The journal's file on a disk that takes ten more bytes."""

        def __init__(self, file):
            self.file, self.room = file, 10

        def write(self, data) -> int:
            if not self.room:
                raise OSError(28, "No space left on device")
            written, self.room = self.file.write(data[: self.room]), 0
            return written

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr(journal, "_file", Full(journal._file))
    with pytest.raises(OSError, match="No space"):
        journal.add(CHANGES[0])
    monkeypatch.undo()
    journal.add(CHANGES[2])
    journal.close()
    assert read(path) == [*WHOLE, WHOLE[2]]
