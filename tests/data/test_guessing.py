"""Guesses from a column to a feature, and from columns to their roles."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.data import naming
from recsys.data.dating import formats_of_digits, formats_of_text
from recsys.data.guessing import Guess, guess
from recsys.data.observing import Seen, cells_of
from recsys.data.roles import roles
from recsys.features.transforms import Log1p, Standardise

ROWS = 2_000
RNG = np.random.default_rng(0)
TITLES = [f"the {a} {b} of {c}" for a, b, c in RNG.integers(0, 99, (ROWS, 3))]


def seen_of(name: str, cells: list) -> Seen:
    seen = Seen(name)
    for start in range(0, len(cells), 700):
        seen.add(cells_of(pa.chunked_array([pa.array(cells[start : start + 700])])))
    return seen


def guessed(name: str, cells: list) -> Guess:
    return guess(seen_of(name, cells), len(cells))


def drawn(values: list, rows: int = ROWS) -> list:
    return [values[number] for number in RNG.integers(0, len(values), rows)]


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("city", drawn(["Rome", "Oslo", "", "Lima"]), "categorical"),
        ("zip", drawn(["01234", "94110", "10001"]), "categorical"),
        ("code", [f"{number:05d}" for number in RNG.integers(0, 900, ROWS)], "categorical"),
        ("userId", RNG.integers(0, 900, ROWS).tolist(), "categorical"),
        ("store_type", RNG.integers(0, 5, ROWS).tolist(), "categorical"),
        ("bin", RNG.integers(0, 5, ROWS).tolist(), "categorical"),
        ("age", RNG.integers(18, 80, ROWS).astype(str).tolist(), "numeric"),
        ("temperature", RNG.normal(size=ROWS).tolist(), "numeric"),
        ("spent", [*RNG.lognormal(size=ROWS - 1).astype(str), "n/a"], "numeric"),
        ("row", list(range(ROWS)), "row name"),
        ("event", [f"e{number:x}" for number in range(ROWS)], "row name"),
        ("version", ["1.0"] * ROWS, "constant"),
        ("gap", [""] * ROWS, "empty"),
        ("genres", drawn(["Drama|War", "War", "Comedy|Drama|War"]), "bag"),
        ("recent_items", [f"{a},{b}" for a, b in RNG.integers(0, 50, (ROWS, 2))], "sequence"),
        ("title", TITLES, "text"),
        ("day", drawn(["2024-01-01", "2024-02-29"]), "date"),
        ("when", drawn(["31.01.2024 10:00", "01.02.2024 11:30"]), "date"),
        ("ts", RNG.integers(1_600_000_000, 1_700_000_000, ROWS).tolist(), "date"),
        ("hour", drawn(["14102100", "14102123"]), "date"),
        ("nested", [{"a": 1}] * ROWS, "unreadable"),
    ],
)
def test_a_column_is_taken_for_what_a_person_would(name, cells, kind):
    found = guessed(name, cells)
    assert found.kind == kind, found.why
    left_out = kind in ("row name", "constant", "empty", "unreadable")
    assert (found.feature is None) == left_out
    assert found.why


def test_skewed_numbers_are_read_by_their_logarithm():
    counts = guessed("views", RNG.lognormal(3, 2, ROWS).astype(int).tolist()).feature
    heights = guessed("height", RNG.normal(170, 9, ROWS).tolist()).feature
    assert counts is not None
    assert heights is not None
    assert (counts.transform, heights.transform) == (Standardise(of=Log1p()), Standardise())


def test_numbers_with_a_thousands_comma_are_no_lists():
    assert guessed("turnover", drawn(["1,234", "22,500", "1,000,000"])).kind == "categorical"


def test_some_cells_that_are_no_numbers_are_told():
    found = guessed("height", [*RNG.normal(size=ROWS - 3).astype(str), "tall", "-", "?"])
    assert found.kind == "numeric"
    assert "3 cells are none" in found.why


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["2024-01-31", "2024-02-01T10:00"], ["iso"]),
        (["01/02/2024", "02/03/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["13/02/2024", "02/03/2024"], ["%d/%m/%Y"]),
        (["02/13/2024 10:05:06.5"], ["%m/%d/%Y %H:%M:%S.%f"]),
        (["05 Jan 2024"], ["%d %b %Y"]),
        (["Jan 05, 2024"], ["%b %d, %Y"]),
        (["2024-01-31", "soon, maybe"], []),
        (["tomorrow"], []),
        (["12345678"], []),
    ],
)
def test_the_format_of_dates_is_told_by_trying(values, wanted):
    assert formats_of_text(values) == wanted


def test_digits_are_dates_of_our_days_or_none():
    assert formats_of_digits(["1704067200", "1609459200"]) == ["seconds"]
    assert formats_of_digits(["1704067200000"]) == ["milliseconds"]
    assert formats_of_digits(["20240131"]) == ["%Y%m%d"]
    assert formats_of_digits(["42", "17"]) == []


def test_names_are_told_by_their_words():
    assert all(map(naming.is_user, ["user", "userId", "USER ID", "customer_key"]))
    assert all(map(naming.is_item, ["movieId", "item", "product_code"]))
    assert not naming.is_user("user_age")
    assert not naming.is_item("item_price")
    assert all(map(naming.is_label, ["click", "is_click", "label", "hasClicked"]))
    assert naming.time_rank("timestamp") == 0
    assert naming.time_rank("colour") is None


def roles_of(columns: dict[str, list], label: str | None = None):
    seen = {name: seen_of(name, cells) for name, cells in columns.items()}
    guesses = {name: guess(each, ROWS) for name, each in seen.items()}
    return roles(seen, guesses, label=label)


def test_a_rating_is_a_label_by_its_upper_part():
    found = roles_of(
        {
            "userId": drawn([3, 4, 5]),
            "movieId": drawn(["a", "b"]),
            "rating": drawn([1, 3, 4, 5]),
        }
    )
    assert found.fields == {"label": "rating", "positive": 4, "user": "userId", "item": "movieId"}
    assert "are at least 4" in found.told


def test_a_label_of_two_words_is_one_where_it_says_yes():
    found = roles_of({"who": drawn(["a", "b"]), "bought": drawn(["yes", "no"])})
    assert found.fields == {"label": "bought", "positive": "yes"}


def test_columns_that_may_tell_the_label_are_left_out():
    found = roles_of({"click": drawn([0, 1]), "rating": drawn([1, 5]), "city": drawn(["a", "b"])})
    assert found.fields["label"] == "click"
    assert found.left_out == {"rating": "it may tell the label 'click'"}


def test_the_label_may_be_said_and_must_be_where_two_may_be_it():
    columns = {"click": drawn([0, 1]), "bought": drawn([0, 1])}
    assert roles_of(columns, "bought").fields["label"] == "bought"
    with pytest.raises(ValueError, match="any of click, bought may be it: say which"):
        roles_of(columns)
    with pytest.raises(ValueError, match="wants numbers, true and false, or yes and no, got"):
        roles_of({"city": drawn(["Rome", "Oslo", "Lima"])}, "city")


def test_the_first_column_that_sounds_like_a_time_is_the_timestamp():
    days = drawn(["2024-01-01", "2024-02-29"])
    found = roles_of({"born": days, "day": days, "timestamp": days, "click": drawn([0, 1])})
    assert (found.fields["timestamp"], found.fields["date_format"]) == ("timestamp", "iso")
    assert {"click", "timestamp"} == found.taken


def test_a_log_of_who_met_what_needs_no_label():
    columns = {"user": drawn(["u1", "u2"]), "movie": drawn(["a", "b"]), "movie_name": drawn(["A"])}
    found = roles_of(columns)
    assert (found.fields["label"], found.fields["title"]) == (None, "movie_name")
    assert "for retrieval" in found.told
    with pytest.raises(ValueError, match="may be it: say which"):
        roles_of({**columns, "is_paid": drawn([0, 1])})
