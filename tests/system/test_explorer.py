"""The page in a real browser, against a server in a process of its own."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.releases import click_release, opened, tower_release
from tests.system.served import served

pytestmark = pytest.mark.browser
CHROMIUM = "/usr/bin/chromium"  # Debian's


@pytest.fixture(scope="module")
def towers(tmp_path_factory) -> Iterator[str]:
    with served(tower_release(), tmp_path_factory.mktemp("kept")) as url:
        yield url


@pytest.fixture(scope="module")
def clicks(tmp_path_factory) -> Iterator[str]:
    with served(click_release(), tmp_path_factory.mktemp("kept")) as url:
        yield url


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
