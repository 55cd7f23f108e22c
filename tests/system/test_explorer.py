"""The page in a real browser, and the client, against a server in a process of its own."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from recsys.client import Client, RequestError
from tests.releases import click_release, opened, tower_release

pytestmark = pytest.mark.system
ROOT = Path(__file__).parent.parent.parent
CHROMIUM = "/usr/bin/chromium"  # Debian's
READY_S = 120


def serve(release: Path, kept: Path) -> Iterator[str]:
    """A server; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving", "--releases", str(release), "--port", str(port)]
    process = subprocess.Popen([*command, "--kept", str(kept), "--most-together", "2"], cwd=ROOT)
    try:
        begun = time.monotonic()
        while True:
            try:
                with Client(url) as client:
                    client.releases()
                break
            except (ConnectionError, RequestError):
                assert process.poll() is None, "the server ended"
                assert time.monotonic() - begun < READY_S, "the server is not ready"
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def towers(tmp_path_factory) -> Iterator[str]:
    yield from serve(tower_release(), tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def clicks(tmp_path_factory) -> Iterator[str]:
    yield from serve(click_release(), tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page on which nothing may go wrong."""
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    yield page
    page.close()
    assert errors == []


def test_a_user_is_recommended_to_with_reasons_and_similar_items(page, towers):
    page.goto(towers)
    expect(page.get_by_role("heading", level=1)).to_have_text("towers")
    page.get_by_label("User", exact=True).fill("u7")
    page.get_by_role("button", name="Recommend").click()
    expect(page.get_by_text("10 items for user u7.")).to_be_visible()
    vector = opened("towers").users(opened("towers").encode([{"person": "u7"}]).batch)[0]
    scores = opened("towers").item_vectors @ vector
    scores[opened("towers").seen("u7")] = -np.inf
    expect(page.locator("#list .title").first).to_have_text(f"Movie {scores.argmax()}")
    page.get_by_role("button", name=f"Why? Movie {scores.argmax()}").click()
    expect(page.locator("#side-status")).to_contain_text(f"Score {scores.max():.4f}")
    expect(page.locator("#side-list li").first).to_be_visible()
    page.locator("#list").get_by_role("button", name=re.compile("Similar")).first.click()
    expect(page.get_by_text("10 items near it.")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#side")).to_be_hidden()


def test_somebody_is_told_by_what_it_likes_and_items_are_filtered(page, towers):
    page.goto(towers)
    page.get_by_label("…or what somebody likes").fill("movie 1")
    expect(page.locator("#items option").first).to_have_attribute("value", "Movie 1")
    page.get_by_label("…or what somebody likes").fill("Movie 1")
    expect(page.get_by_text("10 items for somebody who likes these.")).to_be_visible()
    page.get_by_label("title").select_option("Movie 3")
    page.get_by_role("button", name="Recommend").click()
    expect(page.get_by_text("1 items for somebody who likes these.")).to_be_visible()
    page.get_by_role("button", name="Remove Movie 1").click()
    expect(page.locator("#chips li")).to_have_count(0)


def test_the_quality_card_and_what_is_popular_are_shown(page, towers):
    page.goto(towers)
    page.get_by_text("Quality card").click()
    expect(page.locator("#quality")).to_contain_text("index Exact, recall@100")
    page.get_by_label("User", exact=True).fill("stranger")
    page.get_by_role("button", name="Recommend").click()
    expect(page.locator("#notes")).to_contain_text("this is what is popular")
    page.get_by_role("button", name="Anybody").click()
    expect(page.locator("#status")).to_have_text(re.compile(r"10 items for user u\d+\."))


def test_a_click_model_is_asked_by_features(page, clicks):
    page.goto(clicks)
    page.get_by_label("city").fill("Lyon")
    page.get_by_role("button", name="Predict").click()
    probability = opened("clicks").predict(opened("clicks").encode([{"city": "Lyon"}]).batch)[0]
    expect(page.locator("#status")).to_have_text(f"{100 * probability:.2f} %")
    expect(page.locator("#notes")).to_contain_text("defaults: tags, device, price")
    expect(page.locator("#list li").first).to_be_visible()


def test_the_client_speaks_with_the_server(towers):
    release = opened("towers")
    with Client(towers) as client:
        found = client.recommend("u7", k=3)
        vector = np.array(client.embed_users([{"person": "u7"}])[0], np.float32)
        scores = release.item_vectors @ vector
        assert found.release == release.id
        for item in found.items:
            assert item.score == pytest.approx(float(scores[int(item.id[1:])]), abs=1e-5)
            assert item.columns["title"] == f"Movie {item.id[1:]}"
        assert client.explain(found.items[0].id, "u7").score == pytest.approx(found.items[0].score)
        assert client.similar("m3", k=2, exclude=["m4"]).items[0].id not in ("m3", "m4")
        assert client.upsert([{"id": "new", "features": {"movie": "m3"}}]) == 1
        assert client.similar("m3", k=1).items[0].id == "new"
        assert client.delete(["new"]) == 1
        assert [told["state"] for told in client.releases()] == ["active"]
        with pytest.raises(RequestError, match="'nothing'") as refused:
            client.similar("nothing")
        assert refused.value.status == 404
