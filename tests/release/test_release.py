"""A release as a server has it: requests in, the very scores of training out."""

import numpy as np
import pytest

from recsys.features import Batch
from recsys.release import Release, ReleaseError
from recsys.release.programs import Program
from recsys.retrieval.vectors import embed
from tests.releases import IDS, NAMES, TOWERS, data, opened, predictor, sides, state_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]
ROWS = [
    {"city": "Lyon", "tags": "a|b|c|d", "device": "tv", "price": 2.5},
    {"city": "nowhere", "tags": None, "price": "1.5"},
    {"city": "Ghent", "tags": "a", "device": "", "price": None},
]


@pytest.fixture
def clicks() -> Release:
    return opened("clicks")


@pytest.fixture
def towers() -> Release:
    return opened("towers")


def test_probabilities_are_those_of_the_predictor(clicks):
    names = ("city", "tags", "device", "price")
    columns = {name: [row.get(name) for row in ROWS] for name in names}
    wanted = predictor().predict(columns)
    np.testing.assert_allclose(clicks.predict(clicks.encode(ROWS).batch), wanted, atol=1e-5)
    np.testing.assert_array_equal(
        clicks.predict(clicks.encode(columns).batch), clicks.predict(clicks.encode(ROWS).batch)
    )


def test_vectors_are_those_of_training(towers):
    offline = embed(TOWERS, state_of(TOWERS), sides(), history=32)
    encoded = towers.encode([{"person": name} for name in NAMES])
    np.testing.assert_allclose(towers.users(encoded.batch), offline.user, atol=1e-5)
    np.testing.assert_allclose(towers.item_vectors, offline.item, atol=1e-5)
    rows = [{"movie": item} for item in IDS]
    np.testing.assert_allclose(towers.embed_items(rows), offline.item, atol=1e-5)


def test_users_by_row_are_users_by_name(towers):
    by_name, by_row = (
        towers.encode([{"person": "u7"}, {"person": "u0"}]),
        towers.encode_known([7, 0]),
    )
    for name in ("high", "low", "valid", "numbers"):
        np.testing.assert_array_equal(getattr(by_name.batch, name), getattr(by_row.batch, name))


def test_any_number_of_rows_is_answered_alike(towers):
    users = towers._programs["users"]
    users = Program(users.path, users.params, users.width)
    users.keep_to((1, 2))
    one = towers.encode([{"person": "u7"}]).batch
    alone = towers.users(one)[0]
    for count in (0, 1, 5):
        found = users(Batch.joined([one] * count) if count else one.take(slice(0)))
        assert found.shape == (count, 8)
        np.testing.assert_allclose(found, np.broadcast_to(alone, (count, 8)), atol=1e-5)


def test_the_golden_requests_are_answered_as_they_were(clicks, towers):
    for release in (clicks, towers):
        assert len(release.golden) >= 2
        release.replay()


def test_another_answer_to_a_golden_request_is_refused(towers):
    other = Release(towers.path, towers.manifest)
    other.golden[3]["answer"]["scores"][IDS[0]] = 0.5
    with pytest.raises(ReleaseError, match="golden request 3 with the scores of its export"):
        other.replay()


def test_sizes_are_compiled_before_they_are_asked_for(clicks):
    fresh = Release(clicks.path, clicks.manifest)
    fresh.warm((1, 4))
    compiled = fresh._programs["predict"]._call
    for rows in (ROWS[:1], ROWS, ROWS * 3):
        np.testing.assert_allclose(
            fresh.predict(fresh.encode(rows).batch),
            np.tile(clicks.predict(clicks.encode(ROWS).batch), 3)[: len(rows)],
            atol=1e-5,
        )
    assert compiled._cache_size() == 2  # type: ignore[attr-defined]


def test_the_catalogue_tells_items_by_their_ids(towers):
    assert towers.items is not None
    assert towers.items.row_of("m3") == 3
    assert towers.items.row_of("m999") is None
    assert towers.items.get(3) == {"title": "Movie 3"}
    assert (towers.history, towers.item_column, towers.user_column) == (
        "watched",
        "movie",
        "person",
    )


def test_what_users_met_is_told_in_rows(towers):
    wanted = data().train
    assert towers.seen("u7").tolist() == wanted[[7]].indices.tolist()
    assert towers.seen("stranger").tolist() == []
    counts = wanted.toarray().sum(axis=0)
    np.testing.assert_allclose(towers.popularity, counts / counts.max(), atol=1e-6)


def test_the_index_finds_what_is_nearest(towers):
    user = towers.users(towers.encode_known([7]).batch)
    found = towers.index.search(user, 5)
    best = np.argsort(-(towers.item_vectors @ user[0]))[:5]
    assert found.ids[0].tolist() == best.tolist()


def test_a_release_for_clicks_has_no_items(clicks):
    for ask in (lambda: clicks.index, lambda: clicks.seen("u1"), lambda: clicks.encode_items([{}])):
        with pytest.raises(ValueError, match="is a release for click and has no items"):
            ask()
    with pytest.raises(ValueError, match="with programs predict, got a call of users"):
        clicks.users(clicks.encode([{}]).batch)


def test_the_card_tells_what_was_measured(clicks, towers):
    assert clicks.manifest["quality"]["metrics"] == {"auc": 0.7}
    assert set(towers.manifest["quality"]["latency_ms"]) == {"1", "64"}
    assert towers.manifest["quality"]["index"]["kind"] == "Exact"
    assert towers.manifest["data"]["pairs"] == data().train.nnz
    assert towers.manifest["programs"]["users"]["platforms"] == ["cpu", "cuda", "tpu"]
