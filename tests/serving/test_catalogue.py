"""Names and columns of items outlive a restart, and take no more room than they need."""

from pathlib import Path

import numpy as np
import pytest

from recsys.release import Items
from serving.catalogue import FILE, MOST_TOLD, Catalogue

ITEMS = Items.of(["a", "b"], {"title": ["A", "B"]})


def shown(found: Catalogue) -> list[tuple[str, str | None]]:
    titles = found.column("title")
    return [(found.name(row), titles[row]) for row in range(len(found))]


def test_what_was_added_or_changed_is_there_after_a_restart(tmp_path: Path):
    before = Catalogue(ITEMS, tmp_path)
    assert before.add([("c", {"title": "C"}), ("a", {"title": "AA"}), ("c", {})]) == [2, 0, 2]
    after = Catalogue(ITEMS, tmp_path)
    assert shown(after) == shown(before) == [("a", "AA"), ("b", "B"), ("c", "C")]
    told = bytes(after.shown(np.array([2]), np.array([0.5], np.float32)))
    assert told == b'[{"id":"c","title":"C","score":0.5}]'


def test_an_unfinished_line_is_cut_off_and_a_damaged_one_refused(tmp_path: Path):
    Catalogue(ITEMS, tmp_path).add([("c", {})])
    path = tmp_path / FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"row":3,"id')
    assert len(Catalogue(ITEMS, tmp_path)) == 3
    assert path.read_bytes() == whole
    path.write_bytes(b"{}\n" + whole)
    with pytest.raises(ValueError, match="damaged in line 1"):
        Catalogue(ITEMS, tmp_path)


def test_what_was_told_often_is_written_once_by_the_next_start(tmp_path: Path):
    before = Catalogue(ITEMS, tmp_path)
    for number in range(3 * MOST_TOLD):
        before.add([("c", {"title": f"C{number}"}), ("a", {}), ("d", {})])
    after = Catalogue(ITEMS, tmp_path)
    assert len((tmp_path / FILE).read_bytes().splitlines()) == 2  # nothing is new of "a"
    assert shown(after) == shown(before)
    after.add([("e", {})])
    assert shown(Catalogue(ITEMS, tmp_path)) == [*shown(before), ("e", None)]
