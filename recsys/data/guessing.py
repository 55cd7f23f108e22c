"""From what was seen of a column to a feature: guesses that a person can read and correct."""

import dataclasses
import re

import numpy as np

from recsys.data import naming
from recsys.data.dating import formats_of_digits, formats_of_text
from recsys.data.frequencies import Value
from recsys.data.observing import Seen
from recsys.features.feature import Feature
from recsys.features.transforms import Log1p, Standardise

FEW = 20  # whole numbers of so few values are categories
UNIQUE = 0.95  # values a cell: each row has its own
ROWS_TO_JUDGE = 100  # below this, no column is left out for having a value of its own in each row
NUMERIC = 0.99  # of the cells are numbers
PARTS = ("|", ";", ",", " ")  # separators, tried in this order
LONGEST = {"bag": 32, "sequence": 50, "text": 32}


@dataclasses.dataclass(frozen=True)
class Guess:
    """What a column is taken for."""

    kind: str  # that of the feature, or "date", or "constant" and the like
    feature: Feature | None = None
    why: str = ""
    date_format: str | None = None  # of dates


def guess(seen: Seen, rows: int) -> Guess:
    """What a column is taken for.

    Args:
        seen: All its cells.
        rows: How many rows the log has.
    """
    name = seen.name
    if seen.is_strange:
        return Guess("unreadable", why="its cells are neither text, numbers nor lists")
    if not seen.filled:
        return Guess("empty", why="no cell holds anything")
    if seen.values.values == 1 and seen.missing(rows) == 0:
        return Guess("constant", why=f"all rows hold {seen.values.head(1)[0].text!r}")
    if seen.is_list:
        lengths = seen.lengths.quantiles(np.array([0.99]))
        return _listed(name, None, int(lengths[0]), "lists")
    if seen.is_date:
        return _dated(name, ["iso"])
    if seen.numbers + seen.nothing >= NUMERIC * seen.filled and seen.numbers:
        return _number(seen, rows)
    return _text(seen, rows)


def _number(seen: Seen, rows: int) -> Guess:
    name, values = seen.name, seen.values.values
    is_whole = seen.integers == seen.numbers
    is_unique = values >= UNIQUE * seen.filled and seen.filled >= ROWS_TO_JUDGE
    if is_whole and naming.time_rank(name) is not None:
        found = formats_of_digits(
            [value.text for value in seen.values.sample() if value.text.isdigit()]
        )
        if found:
            return _dated(name, found)
    if seen.padded:
        return _category(seen, is_unique, "numbers that begin with 0 are names")
    if not is_whole:
        return _measure(seen, "numbers with fractions")
    if naming.is_user(name) or naming.is_item(name):
        return _category(seen, False, "whole numbers that name whom or what")
    if naming.is_id(name):
        return _category(seen, is_unique, "whole numbers that name something")
    if naming.is_quantity(name):
        return _measure(seen, "whole numbers that count something")
    if values <= FEW:
        return _category(seen, False, f"{values} whole numbers")
    low, most = seen.summary.least, seen.summary.most
    is_dense = most - low + 1 <= 1.2 * values
    if is_unique and is_dense:
        return Guess("row name", why="a different number in each row, one after the other")
    is_skewed = _is_skewed(seen)
    has_one_width = low >= 10_000 and len(str(int(low))) == len(str(int(most)))
    if (is_dense and values > 1_000 and not is_skewed) or has_one_width:
        return _category(seen, is_unique, "whole numbers spread as names are")
    return _measure(seen, "whole numbers")


def _text(seen: Seen, rows: int) -> Guess:
    name, values = seen.name, seen.values.values
    sample = seen.values.sample()
    found = formats_of_text([value.text for value in sample])
    if found:
        return _dated(name, found)
    separator = _separator(sample)
    if separator is not None:
        longest = _longest([v.text.count(separator) + 1 for v in sample], sample)
        return _listed(name, separator, longest, f"values between {separator!r}")
    words = [len(re.findall(r"\w+", value.text)) for value in sample]
    mean = sum(c * v.count for c, v in zip(words, sample, strict=True)) / sum(
        v.count for v in sample
    )
    if mean >= 3 and values > FEW and (values >= seen.filled / 2 or mean >= 6):
        length = min(_longest(words, sample), LONGEST["text"])
        return Guess("text", Feature(name, "text", length=length), f"{mean:.1f} words a cell")
    if seen.numbers:
        return _category(seen, False, f"text, {seen.numbers:,} cells of it numbers")
    is_key = naming.is_user(name) or naming.is_item(name)
    is_unique = values >= UNIQUE * seen.filled and seen.filled >= ROWS_TO_JUDGE
    return _category(seen, is_unique and not is_key, "text")


def _category(seen: Seen, is_unique: bool, why: str) -> Guess:
    if is_unique:
        return Guess("row name", why=f"{why}, a different one in almost each row")
    return Guess("categorical", Feature(seen.name), why)


def _measure(seen: Seen, why: str) -> Guess:
    transform = Standardise(of=Log1p()) if _is_skewed(seen) else Standardise()
    bad = seen.filled - seen.numbers - seen.nothing
    if bad:
        why = f"{why}; {bad:,} cells are none and stop an import that does not skip bad rows"
    return Guess("numeric", Feature(seen.name, "numeric", transform=transform), why)


def _dated(name: str, formats: list[str]) -> Guess:
    also = f"; {formats[1]} would fit as well" if len(formats) > 1 else ""
    feature = Feature(name, "numeric", transform=Standardise(), date_format=formats[0])
    return Guess("date", feature, f"dates as {formats[0]}{also}", formats[0])


def _listed(name: str, separator: str | None, longest: int, why: str) -> Guess:
    kind = "sequence" if naming.is_sequence(name) else "bag"
    length = max(1, min(longest, LONGEST[kind]))
    return Guess(kind, Feature(name, kind, length=length, separator=separator), why)


def _is_skewed(seen: Seen) -> bool:
    """Whether most numbers lie near the least, as counts and prices do."""
    low, middle, high = seen.summary.quantiles(np.array([0.01, 0.5, 0.99]))
    return bool(high - middle > 4 * (middle - low))


def _separator(sample: list[Value]) -> str | None:
    """What cuts cells into parts that come again and again; None where nothing does."""
    cells = sum(value.count for value in sample)
    for separator in PARTS:
        cut = [value for value in sample if separator in value.text]
        if sum(value.count for value in cut) < 0.05 * cells:
            continue
        parts = [part.strip() for value in sample for part in value.text.split(separator)]
        parts = [part for part in parts if part]
        different = set(parts)
        are_words = max(map(len, different), default=0) <= 60
        are_names = separator != " " or all(map(str.isdigit, different))
        are_numbers = separator == "," and all(
            re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", value.text) for value in cut
        )
        comes_again = 2 * len(different) <= len(parts)
        if comes_again and are_words and are_names and not are_numbers:
            return separator
    return None


def _longest(lengths: list[int], sample: list[Value]) -> int:
    """The length that all but one in a hundred cells keep."""
    order = np.argsort(lengths)
    counts = np.cumsum(np.array([value.count for value in sample])[order])
    return int(np.array(lengths)[order][np.searchsorted(counts, 0.99 * counts[-1])])
