"""Answers of a trained run: every question has one, and an item is never in it twice."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recsys.data.describe import describe
from recsys.data.importing import import_files
from recsys.data.splits import Random
from recsys.data.store import Store
from recsys.features.hashing import fingerprint
from recsys.retrieval.answers import Answer, Recommender
from recsys.retrieval.known import Known, known_of
from recsys.retrieval.run import TowerRun, judge, open_towers, train_towers
from recsys.retrieval.settings import TowerSettings
from tests.retrieval.logs import GRUMPY, ITEMS, NEVER_MET, USERS, write_log

pytestmark = pytest.mark.slow

SETTINGS = TowerSettings(dim=4, epochs=2, every=1, item_features=("genre",))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("log")
    log = write_log(folder / "log.csv")
    split = Random(valid=0.1, test=0.1)
    import_files(log, describe(log).schema, folder / "log.store", split=split, vocabulary=None)
    return Store.open(folder / "log.store")


@pytest.fixture(scope="module")
def run(store, tmp_path_factory) -> TowerRun:
    path = tmp_path_factory.mktemp("runs") / "towers"
    train_towers(store, path, SETTINGS, progress=False)
    return open_towers(path)


@pytest.fixture(scope="module")
def recommender(run) -> Recommender:
    return Recommender(run)


def _names(answer: Answer) -> list[str]:
    names = [shown.name for shown in answer.items]
    assert len(set(names)) == len(names)
    return names


def _rows(store: Store, run: TowerRun, user: str) -> tuple[set[str], set[str]]:
    """What a user met, and what it liked, as the CSV says."""
    lines = Path(store.manifest["report"]["files"][0]).read_text().splitlines()[1:]
    cells = [line.split(",") for line in lines]
    own = [cell for cell in cells if cell[0] == user]
    return {cell[1] for cell in own}, {cell[1] for cell in own if cell[5] == "1"}


def test_a_run_knows_what_the_log_says(store, run):
    met, liked = _rows(store, run, "u5")
    names = np.array(run.known.items.names)
    assert (len(run.known.users), len(run.known.items)) == (USERS, ITEMS)
    number = int(run.known.user(fingerprint(["u5"]))[0])
    for matrix, wanted in ((run.known.seen, met), (run.known.liked, liked)):
        assert set(names[matrix[[number]].indices].tolist()) == wanted
    parts = run.known.train + run.known.valid + run.known.test
    assert parts.max() == 1


def test_users_and_items_are_numbered_by_how_often_training_has_them(store):
    known = known_of(store)
    rows = store.splits["train"].keys("item")
    _, counts = np.unique(rows, return_counts=True)
    first = known.items.keys[0]
    assert (rows == first).sum() == counts.max()


def test_what_was_met_is_left_out_and_comes_where_it_is_wanted(store, run, recommender):
    met, _ = _rows(store, run, "u5")
    assert not met & set(_names(recommender.recommend("u5", k=ITEMS)))
    every = recommender.recommend("u5", k=ITEMS, exclude_seen=False)
    assert met < set(_names(every))
    assert every.notes == ()
    scores = [shown.score for shown in every.items]
    assert scores == sorted(scores, reverse=True)
    assert every.items[0].title == f"Film {every.items[0].name}"


def test_a_user_never_seen_is_shown_what_most_liked(run, recommender):
    answer = recommender.recommend("nobody", k=5)
    likes = np.asarray(run.known.liked.sum(axis=0)).ravel()
    assert sorted(likes)[-5:] == sorted(shown.score * USERS for shown in answer.items)
    assert answer.notes == ("User 'nobody' was never seen: shown is what most users liked.",)
    assert _names(recommender.recommend(k=5)) == _names(answer)


def test_a_user_who_liked_nothing_is_shown_what_most_liked(store, run, recommender):
    answer = recommender.recommend(GRUMPY, k=5)
    assert "has liked nothing so far: shown is what most users liked" in answer.notes[0]
    assert not _rows(store, run, GRUMPY)[0] & set(_names(answer))


def test_a_new_user_can_say_what_it_likes(recommender):
    once = recommender.recommend("nobody", k=5, also_liked=["2", "4"])
    twice = recommender.recommend("nobody", k=5, also_liked=["4", "2", "Film 2", "2"])
    assert _names(once) == _names(twice)
    assert not {"2", "4"} & set(_names(once))
    assert once.notes == ("User 'nobody' was never seen: recommended is by the items given.",)


def test_more_than_there_are_gives_all_there_are(recommender):
    answer = recommender.recommend("u5", k=10 * ITEMS, exclude_seen=False)
    assert len(_names(answer)) == ITEMS
    assert answer.notes == (f"Only {ITEMS} of {ITEMS} items are left to show.",)


def test_everything_met_leaves_nothing_to_show(recommender):
    every = [str(item) for item in range(ITEMS)]
    answer = recommender.recommend("u5", k=3, also_liked=every)
    assert answer.items == ()
    assert answer.notes == ("Nothing is left to show: every item was met.",)


def test_similar_items_leave_the_item_out(recommender):
    answer = recommender.similar("film 3", k=ITEMS)
    assert len(_names(answer)) == ITEMS - 1
    assert "3" not in _names(answer)


def test_an_item_nobody_met_has_the_vector_of_its_features(recommender):
    assert recommender.similar(str(NEVER_MET), k=3).notes == ()
    assert str(NEVER_MET) in _names(recommender.recommend("u5", k=ITEMS))


def test_an_item_without_features_that_nobody_met_is_answered_by_default(run):
    known = dataclasses.replace(run.known, item_rows=_without(run.known, NEVER_MET))
    recommender = Recommender(dataclasses.replace(run, known=known))
    answer = recommender.similar(str(NEVER_MET), k=3)
    assert "no feature of it is known: shown is what most users liked" in answer.notes[0]
    everything = recommender.recommend("u5", k=ITEMS, exclude_seen=False)
    assert str(NEVER_MET) not in _names(everything)


def _without(known: Known, name: int):
    rows = known.item_rows
    assert rows is not None
    valid = rows.batch.valid.copy()
    valid[known.items.find(str(name))] = False
    return dataclasses.replace(rows, batch=dataclasses.replace(rows.batch, valid=valid))


def test_wrong_questions_say_what_is_wanted(recommender):
    with pytest.raises(ValueError, match="k of at least 1, got 0"):
        recommender.recommend("u5", k=0)
    with pytest.raises(ValueError, match=r"is called 'Film' \(titles that begin so: Film"):
        recommender.similar("Film")


def test_a_run_goes_on_and_refuses_other_settings(store, run):
    again = train_towers(store, run.path, SETTINGS, progress=False)
    assert again.epoch == run.epoch
    with pytest.raises(ValueError, match="holds a run of other settings"):
        train_towers(store, run.path, dataclasses.replace(SETTINGS, rate=0.5))


def test_the_test_split_is_judged_by_all_that_came_before(run):
    found = judge(run)
    assert found.ranking.items.shape[1] == 100
    assert 0 < found.metrics["recall@10"] <= 1
