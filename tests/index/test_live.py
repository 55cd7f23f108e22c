"""Changes are kept, seen at once, and built in while others go on."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recsys.index import IVF, Exact, Index, Sparse, build, live
from tests.index.drawn import DIM, items, users

COUNT = 500


def index() -> Index:
    return build(Exact(), items(COUNT))


OPENED: list[Index] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Lets go of what a test kept."""
    yield
    while OPENED:
        OPENED.pop().close()


def kept(directory: Path) -> Index:
    OPENED.append(index())
    OPENED[-1].keep(directory)
    return OPENED[-1]


def test_changes_are_there_after_a_restart(tmp_path: Path):
    before = kept(tmp_path)
    before.upsert(np.array([COUNT, 3]), users(2))
    before.delete(np.array([4, COUNT]))
    before.upsert(np.array([4]), users(1, seed=5))
    before.close()
    after = kept(tmp_path)
    ids = np.arange(COUNT + 1)
    np.testing.assert_array_equal(after.has(ids), before.has(ids))
    np.testing.assert_array_equal(after.vectors(ids), before.vectors(ids))


def test_a_new_base_and_later_changes_are_there_after_a_restart(tmp_path: Path):
    before = kept(tmp_path)
    before.upsert(np.array([COUNT]), users(1))
    assert before.compact()
    before.delete(np.array([3]))
    before.close()
    after = kept(tmp_path)
    assert (after.stats().built, after.stats().added, after.stats().gone) == (COUNT + 1, 0, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CURRENT", "base-1", "journal-1"]


def test_changes_while_a_base_is_built_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    found, began, goes_on = kept(tmp_path), threading.Event(), threading.Event()
    build_it = live.Live.rebuilt

    def slowly(self, state):
        began.set()
        assert goes_on.wait(60)
        return build_it(self, state)

    monkeypatch.setattr(live.Live, "rebuilt", slowly)
    found.upsert(np.array([COUNT]), users(1))
    thread = threading.Thread(target=found.compact)
    thread.start()
    assert began.wait(60)
    found.upsert(np.array([COUNT + 1, COUNT]), users(2, seed=6))
    found.delete(np.array([0]))
    assert not found.compact()  # one is at it
    goes_on.set()
    thread.join()
    for there in (found, reopened(found, tmp_path)):
        ids = np.array([COUNT, COUNT + 1, 0, 1])
        np.testing.assert_array_equal(there.has(ids), [True, True, False, True])
        np.testing.assert_array_equal(there.vectors(ids[1::-1]), users(2, seed=6))


def reopened(found: Index, directory: Path) -> Index:
    found.close()
    return kept(directory)


def test_many_changes_start_a_new_base_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "MOST_NEW", 20)
    done, take = threading.Event(), live.Live._compact_by_itself

    def tell(self):
        take(self)
        done.set()

    monkeypatch.setattr(live.Live, "_compact_by_itself", tell)
    found = kept(tmp_path)
    found.upsert(np.arange(COUNT, COUNT + 30), users(30))
    assert done.wait(60)
    assert found.stats().built == COUNT + 30


def test_a_process_that_died_between_journals_loses_nothing(tmp_path: Path):
    before = kept(tmp_path)
    before.upsert(np.array([COUNT]), users(1))
    assert before._live._kept is not None
    before._live._kept.begin()  # of the base that it was building when it died
    before.delete(np.array([2]))
    (tmp_path / "partial-1").mkdir()
    before.close()
    after = kept(tmp_path)
    np.testing.assert_array_equal(after.has(np.array([COUNT, 2])), [True, False])
    assert not (tmp_path / "partial-1").exists()


def test_a_directory_of_another_index_is_refused(tmp_path: Path):
    kept(tmp_path).close()
    other = build(Exact(), items(COUNT + 1))
    with pytest.raises(ValueError, match="another index"):
        other.keep(tmp_path)


def test_ids_need_not_be_rows():
    ids = np.array([70, 5, 10**15])
    found = build(Exact(), items(3), ids)
    found.upsert(np.array([6]), 9 * users(1))
    answer = found.search(users(1), 4, excluded=np.array([[5]]))
    assert answer.ids[0, 0] == 6
    assert sorted(answer.ids[0, 1:]) == [-1, 70, 10**15]
    mask = np.zeros(71, bool)
    mask[[5, 70]] = True
    assert sorted(found.search(users(1), 3, allowed=mask).ids[0]) == [-1, 5, 70]


def test_explicit_spaces_tell_why(tmp_path: Path):
    vectors = np.zeros((4, 6), np.float32)
    vectors[0, [1, 2]] = [2, 3]
    vectors[1, 3] = 1
    found = build(Sparse(reasons=2), vectors)
    found.upsert(np.array([9]), np.eye(6, dtype=np.float32)[4:5])
    query = np.array([[0, 1, 2, 5, 7, 0]], np.float32)
    answer = found.search(query, 5)
    np.testing.assert_array_equal(answer.ids[0, :3], [0, 9, 1])
    np.testing.assert_array_equal(answer.scores[0], [8, 7, 5, 0, 0])
    assert answer.reasons is not None
    np.testing.assert_array_equal(answer.reasons.entries[0, :3], [[2, 1], [4, -1], [3, -1]])
    np.testing.assert_array_equal(answer.reasons.shares[0, :3], [[6, 2], [7, 0], [5, 0]])
    with pytest.raises(ValueError, match="entries of at least 0"):
        found.upsert(np.array([10]), -np.ones((1, 6), np.float32))


def test_recall_is_measured_again_on_what_still_counts():
    found = build(IVF(lists=8), items(COUNT), users=users(40), at=10)
    found.delete(np.arange(0, COUNT, 2))
    assert found.measured(users(20, seed=7), at=10).value > 0.9
    assert found.users is not None
    assert found.users.shape == (40, DIM)


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (np.array([1, 1]), "got 1 twice"),
        (np.array([1, -2]), "at least 0, got -2"),
        (np.array([1, 2, 3]), "3 ids of 2"),
    ],
)
def test_ids_that_mean_nothing_are_refused(ids: np.ndarray, told: str):
    with pytest.raises(ValueError, match=told):
        index().upsert(ids, users(2))
    with pytest.raises(ValueError, match=told):
        build(Exact(), items(2), ids)


def test_a_search_for_nothing_is_refused():
    with pytest.raises(ValueError, match="k of at least 1"):
        index().search(users(1), 0)
    with pytest.raises(ValueError, match="a row for each of 1 queries"):
        index().search(users(1), 5, excluded=np.zeros((2, 3), np.int64))


def test_a_directory_that_is_no_index_is_refused(tmp_path: Path):
    index().save(tmp_path / "index")
    with pytest.raises(ValueError, match="wants to be empty"):
        index().save(tmp_path / "index")
    (tmp_path / "index" / "ids.npy").unlink()
    with pytest.raises(ValueError, match="no whole index"):
        Index.load(tmp_path / "index")
    with pytest.raises(ValueError, match="holds no index"):
        Index.load(tmp_path)
