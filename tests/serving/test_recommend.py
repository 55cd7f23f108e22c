"""Recommendations over HTTP are those of the release, less what may not be shown."""

from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.releases import IDS, opened
from tests.serving.running import post, refused, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("towers"), "towers", most_k=50, most_together=2) as client:
        yield client


def names(answer) -> list[str]:
    return [item["id"] for item in answer["items"]]


def scores_of(user: str) -> np.ndarray:
    release = opened("towers")
    return release.item_vectors @ release.users(release.encode([{"person": user}]).batch)[0]


def test_scores_are_those_of_the_release_and_what_was_seen_is_left_out(client):
    answer = post(client, "/v1/recommend", {"user": "u7", "k": 8})
    release = opened("towers")
    scores = scores_of("u7")
    scores[release.seen("u7")] = -np.inf
    best = np.argsort(-scores, kind="stable")[:8]
    assert names(answer) == [IDS[row] for row in best]
    np.testing.assert_allclose([item["score"] for item in answer["items"]], scores[best], atol=1e-5)
    assert answer["items"][0]["title"] == f"Movie {best[0]}"
    assert (answer["release"], answer["space_id"]) == (release.id, release.space_id)
    assert answer["is_known"]


def test_what_was_seen_is_shown_where_it_is_wanted(client):
    answer = post(client, "/v1/recommend", {"user": "u7", "k": 8, "exclude_seen": False})
    assert names(answer) == [IDS[row] for row in np.argsort(-scores_of("u7"), kind="stable")[:8]]


def test_items_are_excluded_by_name(client):
    first = names(post(client, "/v1/recommend", {"user": "u7", "k": 4}))
    body = {"user": "u7", "k": 4, "exclude": [*first, "never heard of"]}
    assert not set(first) & set(names(post(client, "/v1/recommend", body)))


def test_a_filter_lets_its_items_through(client):
    titles = ["Movie 3", "Movie 5", "Movie 8"]
    body = {"user": "u7", "filter": {"title": titles}, "exclude_seen": False, "k": 50}
    answer = post(client, "/v1/recommend", body)
    assert sorted(item["title"] for item in answer["items"]) == titles
    between = {"user": "u7", "filter": {"title": {"min": "Movie 3", "max": "Movie 39"}}, "k": 50}
    found = post(client, "/v1/recommend", between)
    assert all("Movie 3" <= item["title"] <= "Movie 39" for item in found["items"])


def test_a_history_alone_is_enough_and_is_not_shown_again(client):
    history = ["m1", "m2", "m3"]
    answer = post(client, "/v1/recommend", {"history": history, "k": 50})
    assert answer["is_known"]
    assert not set(history) & set(names(answer))
    assert "age" in answer["imputed"]


def test_a_stranger_is_shown_what_most_have_met(client):
    answer = post(client, "/v1/recommend", {"user": "a stranger", "k": 5})
    assert (answer["is_known"], answer["basis"]) == (False, "popularity")
    popularity = opened("towers").popularity
    assert names(answer) == [IDS[row] for row in np.argsort(-popularity, kind="stable")[:5]]


def test_similar_items_are_near_and_not_the_item(client):
    vectors = opened("towers").item_vectors
    scores = vectors @ vectors[3]
    scores[3] = -np.inf
    wanted = [IDS[row] for row in np.argsort(-scores, kind="stable")[:4]]
    assert names(post(client, "/v1/similar", {"item": "m3", "k": 4})) == wanted


def test_vectors_of_users_and_items_are_those_of_the_towers(client):
    release = opened("towers")
    answer = post(client, "/v1/embed", {"users": [{"person": "u7"}], "items": [{"movie": "m3"}]})
    users = release.users(release.encode([{"person": "u7"}]).batch)
    np.testing.assert_allclose(answer["users"], users, atol=1e-5)
    np.testing.assert_allclose(answer["items"], release.item_vectors[[3]], atol=1e-5)


def test_an_explanation_says_what_the_score_loses_without_each_thing_told(client):
    answer = post(client, "/v1/explain", {"user": "u7", "item": "m3", "most": 100})
    assert answer["score"] == pytest.approx(float(scores_of("u7")[3]), abs=1e-5)
    assert answer["by"] == "history"
    release = opened("towers")
    assert release.known is not None
    watched = [IDS[row] for row in release.known.liked[7]]
    assert sorted(one["name"] for one in answer["reasons"]) == sorted([*watched, "person", "age"])
    history, item = watched[1:], release.item_vectors[3]
    without = release.users(release.encode([{"person": "u7", "watched": history}]).batch)[0] @ item
    (reason,) = [one for one in answer["reasons"] if one["name"] == watched[0]]
    assert reason["share"] == pytest.approx(answer["score"] - float(without), abs=1e-5)
    assert reason["title"] == f"Movie {watched[0].removeprefix('m')}"


def test_without_a_history_features_are_the_reasons(client):
    answer = post(client, "/v1/explain", {"features": {"age": 0.5}, "item": "m3"})
    assert answer["by"] == "features"
    assert {one["name"] for one in answer["reasons"]} == {"person", "age", "watched"}


def test_new_items_are_found_at_once_and_are_gone_when_deleted(client):
    release = opened("towers")
    vector = release.users(release.encode([{"person": "u7"}]).batch)[0]
    item = {"id": "new", "vector": (2 * vector).tolist(), "columns": {"title": "Brand new"}}
    body = {"upsert": [item], "space_id": release.space_id}
    assert post(client, "/v1/items", body)["upserted"] == 1
    first = post(client, "/v1/recommend", {"user": "u7", "k": 3})["items"][0]
    assert (first["id"], first["title"]) == ("new", "Brand new")
    only = {"user": "u7", "filter": {"title": ["Brand new"]}}
    assert names(post(client, "/v1/recommend", only)) == ["new"]
    assert post(client, "/v1/items", {"delete": ["new", "unheard of"]})["deleted"] == 1
    assert "new" not in names(post(client, "/v1/recommend", {"user": "u7", "k": 50}))
    assert refused(client, "/v1/similar", {"item": "new"}, 404).startswith("There is no item 'new'")


def test_items_can_be_told_by_their_features(client):
    item = {"id": "m3 again", "features": {"movie": "m3"}}
    post(client, "/v1/items", {"upsert": [item]})
    near = post(client, "/v1/similar", {"item": "m3 again", "k": 1})["items"][0]
    assert near["id"] == "m3"
    post(client, "/v1/items", {"delete": ["m3 again"]})
    strange = {"upsert": [{"id": "x", "features": {"movie": "unheard of"}}]}
    assert "Nothing that the model knows" in refused(client, "/v1/items", strange, 422)


def test_counts_tell_what_happened(tmp_path):
    with running(tmp_path, "towers") as client:
        post(client, "/v1/recommend", {"history": ["m1"]})
        post(client, "/v1/recommend", {"user": "a stranger"})
        text = client.get("/metrics").text
    assert 'recsys_requests_total{route="/v1/recommend",status="200"} 2.0' in text
    assert 'recsys_imputed_total{feature="age"}' in text
    assert "recsys_unknown_users_total 1.0" in text
    assert 'recsys_stage_seconds_count{stage="index"}' in text
    assert f'recsys_release{{id="{opened("towers").id}"' in text


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/v1/recommend", {"user": "u7", "k": 51}, 422, "at most 50 items, got k=51"),
        ("/v1/recommend", {"user": "u7", "k": 0}, 422, "does not fit"),
        ("/v1/recommend", {"user": "u7", "kk": 3}, 422, "does not fit"),
        ("/v1/recommend", {"user": ["u7"]}, 422, "does not fit"),
        ("/v1/recommend", {"features": {"nonsense": 1}}, 422, "nonsense"),
        ("/v1/recommend", {"features": {"age": "old"}}, 422, "age"),
        ("/v1/recommend", {"features": {"age": 10**400}}, 422, ""),
        ("/v1/recommend", {"user": "u7", "filter": {"colour": ["red"]}}, 422, "no column 'colour'"),
        (
            "/v1/recommend",
            {"user": "u7", "filter": {"title": {"min": 1, "max": "b"}}},
            422,
            "range",
        ),
        ("/v1/recommend", {"user": "u7", "space_id": "other"}, 409, "got a request for other"),
        ("/v1/predict", {"rows": [{}]}, 409, "predicts no probabilities"),
        ("/v1/similar", {"item": "unheard of"}, 404, "no item 'unheard of'"),
        ("/v1/explain", {"user": "u7"}, 422, "wants an item"),
        ("/v1/items", {"upsert": [{"id": "x", "vector": [1.0]}]}, 422, "want the space_id"),
        ("/v1/items", {"upsert": [{"id": "x"}]}, 422, "either features or a vector"),
        ("/v1/items", {"upsert": [{"id": "x", "vector": [None]}]}, 422, "does not fit"),
        ("/v1/items", {"space_id": "other"}, 409, "got items of other"),
        ("/v1/nothing", {}, 404, "There is no POST /v1/nothing"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_sentence(client, path, body, status, told):
    assert told in refused_raw(client, path, body, status)


def refused_raw(client: TestClient, path: str, body, status: int) -> str:
    response = client.post(path, json=body)
    assert response.status_code == status, response.text
    return response.json()["error"]["message"]


def test_bodies_that_are_no_json_or_too_long_are_refused(client):
    for content, status in ((b"{", 400), (b"\xff", 400), (b'{"features":' * 50_000, 400)):
        assert client.post("/v1/recommend", content=content).status_code == status
    assert client.post("/v1/recommend", content=b" " * 2_000_000).status_code == 413
    assert client.get("/v1/recommend").status_code == 405


def test_a_request_id_is_taken_or_made(client):
    answer = client.post("/v1/recommend", json={"user": "u7"}, headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "mine-1"
    other = client.post("/v1/recommend", json={}, headers={"x-request-id": 'a"b'})
    assert other.headers["x-request-id"] != 'a"b'
