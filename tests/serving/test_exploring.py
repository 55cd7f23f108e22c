"""What the page is told: the release, what can be filtered by, items and users by a few letters."""

import pytest

from serving.exploring import Column, Explorer, Search, column
from tests.releases import opened


@pytest.mark.slow
@pytest.mark.xdist_group("releases")
def test_a_release_with_items_tells_of_itself():
    page = Explorer.of(opened("towers"))
    about = page.about()
    assert (about.task, about.items, about.users, about.history) == ("retrieval", 40, 60, "watched")
    assert about.columns == {"title": column([f"Movie {n}" for n in range(40)])}
    assert about.examples[:2] == ["u0", "u1"]
    assert [item["id"] for item in page.items(Search("movie 3", 3)).items] == ["m3", "m30", "m31"]
    assert page.items(Search("m7")).items[0] == {"id": "m7", "title": "Movie 7"}
    assert page.items(Search(" ")).items == []
    assert page.users(Search("u5", 3)).users == ["u5", "u50", "u51"]


@pytest.mark.slow
@pytest.mark.xdist_group("releases")
def test_a_release_for_clicks_tells_its_features():
    about = Explorer.of(opened("clicks")).about()
    assert [told.name for told in about.features] == ["city", "tags", "device", "price"]
    assert (about.items, about.columns, about.examples) == (0, {}, [])


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1999, None, 2001], Column("number", least=1999.0, most=2001.0)),
        ([["a", "b"], ["b"], []], Column("choice", choices=["b", "a"])),
        (["red", "red", "blue"], Column("choice", choices=["red", "blue"])),
        ([f"title {n}" for n in range(60)], Column("text")),
        ([None, None], Column("choice")),
    ],
)
def test_a_column_tells_what_it_can_be_filtered_by(values, found):
    assert column(values) == found
