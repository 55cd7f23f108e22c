"""In which format the dates of a column are written, told by trying."""

from collections.abc import Sequence

import numpy as np

from recsys.features.columns import BadCellsError
from recsys.features.dates import ISO, UNITS, seconds

TRIED = 1_000  # values of a column
FIRST = 20  # of them, by which most formats fall
ENOUGH = 0.99  # of them must be dates
_DAYS = ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")
WRITTEN = (ISO, *(day + time for day in _DAYS for time in _TIMES), "%b %d, %Y")
DIGITS = {"%Y%m%d": 8, "%Y%m%d%H%M%S": 14, "%Y%m%d%H": 10, "%y%m%d%H": 8}  # and how many
_OUR_DAYS = (631152000.0, 2524608000.0)  # 1990 to 2050
_ANY_DAYS = (-np.inf, np.inf)
_SHORTEST = 8  # characters of a date


def formats_of_text(values: Sequence[str]) -> list[str]:
    """The formats in which values of text are dates: none, or more where days could be months."""
    tried = list(values[:TRIED])
    if not tried or min(map(len, tried)) < _SHORTEST or max(map(str.isdigit, tried)):
        return []
    return [each for each in WRITTEN if _are_dates(tried, each, _ANY_DAYS)]


def formats_of_digits(values: Sequence[str]) -> list[str]:
    """The formats in which values of digits are dates of our days."""
    tried = list(values[:TRIED])
    widths = set(map(len, tried))
    # Python reads 20240131 as one in the morning of the third, too.
    able = [*UNITS, *(each for each, width in DIGITS.items() if widths == {width})]
    return [each for each in able if tried and _are_dates(tried, each, _OUR_DAYS)]


def _are_dates(values: list[str], date_format: str, days: tuple[float, float]) -> bool:
    return all(_share(part, date_format, days) >= ENOUGH for part in (values[:FIRST], values))


def _share(values: list[str], date_format: str, days: tuple[float, float]) -> float:
    """How many of the values are such dates."""
    bad = 0
    try:
        found = seconds(values, "", date_format)
    except BadCellsError as error:
        bad = len(error.rows)
        found = seconds(np.delete(np.array(values, object), error.rows), "", date_format)
    return float(((found >= days[0]) & (found < days[1])).sum()) / (bad + len(found))
