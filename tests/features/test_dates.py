"""Dates as seconds: of text, numbers and types, in Python and in Arrow alike."""

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from recsys.features import Feature, Schema
from recsys.features.columns import BadCellsError
from recsys.features.dates import seconds

NOON = 1_704_110_400.0  # 2024-01-01 12:00 UTC
CASES = [
    (["2024-01-01T12:00:00", "2024-01-01 12:00:00"], None),
    (["01/02/2024 12:00"], "%m/%d/%Y %H:%M"),
    (["1704110400", "1704110400.0"], "seconds"),
    (["1704110400000"], "milliseconds"),
    (["2024010112"], "%Y%m%d%H"),
]
WANTED = {"%m/%d/%Y %H:%M": NOON + 86_400}


@pytest.mark.parametrize(("texts", "date_format"), CASES)
def test_text_is_read_alike_in_python_and_arrow(texts, date_format):
    column = [*texts, None, ""]
    for given in (column, pa.array(column), pa.array(column).dictionary_encode()):
        found = seconds(given, "when", date_format)
        wanted = [WANTED.get(date_format or "", NOON)] * len(texts)
        assert found[:-2].tolist() == wanted
        assert np.isnan(found[-2:]).all()


@pytest.mark.parametrize(
    "column",
    [
        [datetime(2024, 1, 1, 12), datetime(2024, 1, 1, 12, tzinfo=UTC)],
        np.array(["2024-01-01T12", "NaT"], "datetime64[s]"),
        pa.array([datetime(2024, 1, 1, 12), None]),
        [NOON, np.float64(NOON)],
        ["2024-01-01T14:00:00+02:00"],
    ],
    ids=["datetimes", "numpy", "arrow", "numbers", "zone"],
)
def test_types_that_know_what_a_date_is_need_no_format(column):
    found = seconds(column, "when")
    assert found[~np.isnan(found)].tolist() == [NOON] * int((~np.isnan(found)).sum())


def test_a_day_is_its_midnight():
    assert seconds([date(2024, 1, 1)], "when")[0] == NOON - 43_200


@pytest.mark.parametrize("given", [list, pa.array])
def test_what_is_no_date_is_named_by_its_row(given):
    column = given(["2024-02-28", "2024-02-31", "soon"])
    with pytest.raises(BadCellsError, match=r"'when' wants dates .* at row 1") as error:
        seconds(column, "when", "%Y-%m-%d")
    assert error.value.rows.tolist() == [1, 2]


def test_a_date_is_a_number_of_an_example():
    feature = Feature("when", "numeric", date_format="%Y-%m-%d")
    schema = Schema((feature,), label=None, timestamp="when", date_format="%Y-%m-%d")
    columns = {"when": ["1970-01-02", None]}
    assert schema.encode(columns).numbers[:, 0].tolist() == [86_400, 0]
    with pytest.raises(BadCellsError, match="a date in each row, got None at row 1"):
        schema.timestamps(columns)


def test_a_format_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"one of iso, seconds, .* got 'hours'"):
        Feature("when", "numeric", date_format="hours")
