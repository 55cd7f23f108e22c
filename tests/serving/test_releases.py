"""Releases are swapped whole, refused when bad, and rolled back; who may do it has a key."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from recsys.release.manifest import MANIFEST
from serving.keys import make
from tests.releases import IDS, opened, tower_release
from tests.serving.running import Client, post, refused, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]
USER = {"user": "u7"}
BEST = 5  # items of an answer


def states(client: TestClient) -> dict[str, str]:
    return {one["folder"]: one["state"] for one in client.get("/v1/releases").json()["releases"]}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server over both releases."""
    with running(tmp_path_factory.mktemp("both"), "clicks", "towers") as client:
        yield client


def test_releases_are_activated_and_rolled_back(both: Client):
    post(both, "/v1/releases/activate", {"release": "clicks"})
    assert states(both)["clicks"] == "active"
    rows = {"rows": [{"city": "Lyon", "price": 2.5}]}
    release = opened("clicks")
    wanted = float(release.predict(release.encode(rows["rows"]).batch)[0])
    answer = post(both, "/v1/predict", rows)
    assert answer["probabilities"] == pytest.approx([wanted], abs=1e-5)
    assert sorted(answer["imputed_rows"][0]) == ["device", "tags"]
    assert "has no items" in refused(both, "/v1/recommend", USER, 409)
    post(both, "/v1/releases/activate", {"release": opened("towers").id})
    assert states(both) == {"clicks": "previous", "towers": "active"}
    assert post(both, "/v1/recommend", USER)["release"] == opened("towers").id
    post(both, "/v1/releases/rollback", None)
    assert states(both) == {"clicks": "active", "towers": "previous"}


def test_a_canary_answers_its_share(both: Client):
    post(both, "/v1/releases/activate", {"release": "clicks"})
    post(both, "/v1/releases/canary", {"release": "towers", "share": 0.5})
    assert states(both)["towers"] == "canary"
    found = {both.post("/v1/recommend", json=USER).status_code for _ in range(40)}
    assert found == {200, 409}  # the release for clicks has no items
    post(both, "/v1/releases/canary", {"release": "towers", "share": 0})
    assert both.post("/v1/recommend", json=USER).status_code == 409
    again = {"release": "clicks", "share": 0.1}
    assert "answers already" in refused(both, "/v1/releases/canary", again, 409)


def test_a_release_is_closed_when_its_last_request_is_done(
    both: Client, monkeypatch: pytest.MonkeyPatch
):
    releases, closed = both.server.releases, []
    post(both, "/v1/releases/activate", {"release": "towers"})
    towers = releases.take()
    post(both, "/v1/releases/activate", {"release": "clicks"})
    monkeypatch.setattr(towers, "close", lambda: closed.append(True))
    monkeypatch.setattr(releases, "previous", None)
    releases._retire(towers)
    assert not closed
    releases.give(towers)
    assert closed


@pytest.mark.parametrize("swaps", [20, pytest.param(200, marks=pytest.mark.system)])
def test_swaps_under_load_fail_no_request_and_mix_no_answer(tmp_path: Path, swaps: int):
    names = ("towers", "others")
    answers = {opened(name).id: best(name) for name in names}
    found: list[tuple[int, str, list[str]]] = []
    ends = threading.Event()
    with running(tmp_path, *names) as client:

        def ask() -> None:
            while not ends.is_set():
                body = {"user": "u7", "k": BEST, "exclude_seen": False}
                answer = client.post("/v1/recommend", json=body)
                items = [item["id"] for item in answer.json().get("items", ())]
                found.append((answer.status_code, answer.json().get("release", ""), items))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(swaps + 1):  # the first may be served already
            post(client, "/v1/releases/activate", {"release": names[number % 2]})
        ends.set()
        for thread in threads:
            thread.join()
    assert {release for _, release, _ in found} == set(answers)
    for status, release, items in found:
        assert (status, items) == (200, answers[release])


def best(name: str) -> list[str]:
    """The best items for a user, as the release itself scores them."""
    release = opened(name)
    vector = release.users(release.encode([{"person": "u7"}]).batch)[0]
    return [IDS[row] for row in np.argsort(-(release.item_vectors @ vector), kind="stable")[:BEST]]


def test_a_bad_release_is_refused_and_the_old_one_goes_on(tmp_path: Path):
    bad = tmp_path / "releases" / "bad"
    shutil.copytree(tower_release(), bad)
    path = bad / "index" / "vectors.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with running(tmp_path, "clicks") as client:  # though the bad one may be newer
        told = refused(client, "/v1/releases/activate", {"release": "bad"}, 409)
        assert "vectors.npy" in told
        assert states(client) == {"clicks": "active", "bad": "ready"}
        (bad / MANIFEST).write_text("{")
        for name in ("bad", "../releases/clicks"):
            told = refused(client, "/v1/releases/activate", {"release": name}, 404)
            assert f"no release {name!r}" in told


def test_changed_items_are_there_after_a_restart(tmp_path: Path):
    item = {"id": "late", "vector": [1.0] * 8, "columns": {"title": "Late"}}
    with running(tmp_path, "towers") as client:
        space = opened("towers").space_id
        post(client, "/v1/items", {"upsert": [item], "delete": ["m3"], "space_id": space})
    with running(tmp_path, "towers") as client:
        assert client.post("/v1/similar", json={"item": "m3"}).status_code == 404
        assert post(client, "/v1/similar", {"item": "late"})["items"]
        body = {"item": "m4", "filter": {"title": ["Late"]}}
        assert post(client, "/v1/similar", body)["items"][0]["id"] == "late"


def test_what_was_rolled_back_is_not_what_the_next_start_serves(tmp_path: Path):
    with running(tmp_path, "clicks", "towers") as client:
        newest = next(name for name, state in states(client).items() if state == "active")
        other = ({"clicks", "towers"} - {newest}).pop()
        post(client, "/v1/releases/activate", {"release": other})
        post(client, "/v1/releases/activate", {"release": newest})
        post(client, "/v1/releases/rollback", None)
    with running(tmp_path) as client:
        assert states(client) == {newest: "ready", other: "active"}
        post(client, "/v1/releases/activate", {"release": newest})
    with running(tmp_path) as client:
        assert states(client)[newest] == "active"


def test_keys_open_what_their_scopes_say(tmp_path: Path):
    keys = tmp_path / "keys.json"
    read, admin = make(keys, "shop", ("read",)), make(keys, "owner", ("admin",))
    with running(tmp_path, "clicks", keys=keys) as client:

        def status(key: str, path: str, body: object) -> int:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return client.post(path, json=body, headers=headers).status_code

        assert status(read, "/v1/predict", {"rows": [{}]}) == 200
        assert status("", "/v1/recommend", USER) == 401
        assert status("wrong", "/v1/recommend", USER) == 401
        assert status(admin, "/v1/recommend", USER) == 403
        assert status(read, "/v1/items", {}) == 403
        assert status(read, "/v1/releases/rollback", None) == 403
        assert status(admin, "/v1/releases/rollback", None) == 409  # nothing to roll back to
        assert client.get("/v2/health/ready").status_code == 200
        assert client.get("/metrics", headers={"x-api-key": read}).status_code == 200


def test_admin_routes_can_have_a_port_of_their_own(tmp_path: Path):
    with running(tmp_path, "clicks", admin_port=1) as client:
        assert client.post("/v1/releases/rollback").status_code == 404
        assert client.get("/metrics").status_code == 404
        assert client.get("/v1/releases").status_code == 200
