"""The page's routes: the page itself, and what it asks of the release that is served."""

import pytest

from serving.routes.explore import FILES
from tests.serving.running import post, refused, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running(tmp_path_factory.mktemp("server"), "towers") as client:
        yield client


def test_the_page_and_its_files_are_served_and_nothing_else(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name in FILES:
        answer = client.get(f"/explorer/{name}")
        assert answer.status_code == 200
        assert name == "index.html" or f"explorer/{name}" in page.text
    for name in ("nothing.js", "..%2f__init__.py"):
        assert client.get(f"/explorer/{name}").status_code == 404


def test_the_page_is_told_what_it_shows(client):
    about = client.get("/v1/about").json()
    assert (about["task"], about["items"], about["columns"]["title"]["kind"]) == (
        "retrieval",
        40,
        "choice",
    )
    found = post(client, "/v1/explore/items", {"query": "movie 7"})
    assert found == {"items": [{"id": "m7", "title": "Movie 7"}]}
    assert post(client, "/v1/explore/users", {"query": "u5", "limit": 2})["users"] == ["u5", "u50"]
    assert "limit" in refused(client, "/v1/explore/users", {"query": "", "limit": 0}, 422)
