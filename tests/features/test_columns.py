"""Columns of other libraries: a frame of pandas, NumPy and Arrow say what lists say."""

import jax
import numpy as np
import pandas
import pyarrow as pa
import pytest

from recsys.features import Feature, Schema
from recsys.features.columns import BadCellsError, numbers

SCHEMA = Schema(
    (
        Feature("text"),
        Feature("id"),
        Feature("tags", "bag", length=2, separator="|"),
        Feature("price", "numeric"),
        Feature("day", "numeric", date_format="iso"),
    )
)
LOG = {
    "text": ["a", None, "b"],
    "id": [3, 5, None],
    "tags": ["x|y", "", None],
    "price": [1.5, None, 2],
    "day": ["2024-01-01", None, "2024-01-03"],
    "label": [True, False, True],
}
FRAME = pandas.DataFrame(LOG)
TYPED = FRAME.astype({"text": "category", "id": "Int64", "day": "datetime64[ns]"})
ARROW = pa.table({name: pa.array(cells) for name, cells in LOG.items()})
MASKED = {**LOG, "id": np.ma.masked_equal([3, 5, 0], 0)}


@pytest.mark.parametrize(
    "frame", [FRAME, TYPED, ARROW, MASKED], ids=["pandas", "typed", "arrow", ""]
)
def test_frames_of_other_libraries_are_read_as_lists_are(frame):
    found, wanted = SCHEMA.encode({name: frame[name] for name in LOG}), SCHEMA.encode(LOG)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_stands_for_a_number_is_read_as_one():
    cells = ["1e3", " 7 ", "n/a", "NULL", "", True, "false", None, 2, b"5"]
    found = numbers(cells, "x")
    np.testing.assert_array_equal(found, [1000, 7, *[np.nan] * 3, 1, 0, np.nan, 2, 5])


@pytest.mark.parametrize("form", [list, pandas.Series, pa.array])
def test_all_bad_cells_of_a_column_are_told(form):
    with pytest.raises(BadCellsError, match="'x' wants finite numbers, got 'one' at row 1") as bad:
        numbers(form(["1", "one", "2", "1e60"]), "x")
    assert bad.value.rows.tolist() == [1, 3]
    assert bad.value.reasons()[1] == "column 'x' wants finite numbers, got '1e60'"
