"""Catalogues: what items are called, by the first row that says it."""

import numpy as np
import pytest

from recsys.data.catalogue import Called, Calling, Catalogue, called
from recsys.features import Feature, Schema
from recsys.features.hashing import fingerprint

NAMES = ("7", "8", "9")
CATALOGUE = Catalogue(fingerprint(list(NAMES)), NAMES, ("Up", "up", ""))
SCHEMA = Schema((Feature("user"),), label=None, item="item", title="title")


def test_an_item_is_found_by_its_name_or_by_a_title_of_its_own():
    other = Catalogue(CATALOGUE.keys, NAMES, ("Up", "Down", ""))
    assert [CATALOGUE.find("8"), other.find("UP"), other.find("down")] == [1, 0, 1]
    with pytest.raises(ValueError, match="Several items are called 'up': give one of 7, 8"):
        CATALOGUE.find("up")
    with pytest.raises(
        ValueError, match=r"No item of 3 is called 'd' \(titles that begin so: Down"
    ):
        other.find("d")


def test_a_catalogue_comes_back_from_its_bytes():
    for wanted in (CATALOGUE, Catalogue(CATALOGUE.keys, NAMES, None)):
        found = Catalogue.from_bytes(wanted.to_bytes())
        assert found.keys.tolist() == wanted.keys.tolist()
        assert (found.names, found.titles) == (wanted.names, wanted.titles)
    assert CATALOGUE.take(np.array([2, 0])).names == ("9", "7")
    assert CATALOGUE.numbers(fingerprint([9, "none"])).tolist() == [2, -1]


def test_rows_say_what_items_are_called_once_each():
    columns = {"item": [7.0, 8, 7, None], "title": ["Up", None, "Other", "x"], "user": [1] * 4}
    found = called(columns, SCHEMA)
    assert found is not None
    assert dict(zip(found.names, found.titles or [], strict=True)) == {"7": "Up", "8": ""}
    assert called(columns, Schema((Feature("user"),), label=None)) is None


def test_the_first_name_stays_and_a_title_may_come_later():
    calling = Calling()
    calling.add(Called(fingerprint([8]), ["8"], [""]))
    calling.add(Called(fingerprint([8, 7]), ["8.0", "7"], ["Down", "Up"]))
    made = calling.finish()
    assert dict(zip(made.names, made.titles or (), strict=True)) == {"8": "Down", "7": "Up"}
