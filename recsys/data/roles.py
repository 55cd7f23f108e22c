"""Which columns of a log are the label, the time, the user and the item."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from recsys.data import naming
from recsys.data.guessing import Guess
from recsys.data.observing import Seen

_BINARY = ({"0", "1"}, {"0.0", "1.0"}, {"true", "false"})
_YES = {"yes", "y", "t", "click", "clicked", "positive", "pos"}
ONLY_MET = "no column says how it went: who met what, for retrieval"
_LIKED = 0.7  # of the way from the least rating to the greatest: 4 of 5 stars, 8 of 10


@dataclasses.dataclass(frozen=True)
class Roles:
    """The fields of a schema beside its features, and columns that are no features."""

    fields: Mapping[str, Any]
    taken: frozenset[str]  # columns that are read as the label or the timestamp
    told: str  # of the label
    left_out: Mapping[str, str]  # columns, and why


def roles(seen: Mapping[str, Seen], guesses: Mapping[str, Guess], *, label: str | None) -> Roles:
    """The roles of columns by their names and what they hold.

    Args:
        seen: By name.
        guesses: Likewise.
        label: The column to predict, if it is known.

    Raises:
        ValueError: more than one column may be the label, or none, and it is no log of who met
            what either.
    """
    chosen = label if label is not None else _label(seen)
    positive, why = (None, ONLY_MET) if chosen is None else _positive(seen[chosen])
    fields: dict[str, Any] = {"label": chosen, "positive": positive}
    taken = set() if chosen is None else {chosen}
    left_out = {
        name: f"it may tell the label {chosen!r}"
        for name in seen
        if name != chosen and (naming.is_label(name) or naming.is_rating(name))
    }
    times = {
        name: (naming.time_rank(name) is None, naming.time_rank(name) or 0)
        for name, each in guesses.items()
        if each.date_format is not None and name != chosen
    }
    if times:
        time = min(times, key=lambda name: times[name])
        fields |= {"timestamp": time, "date_format": guesses[time].date_format}
        taken.add(time)
    for role, sounds in (("user", naming.is_user), ("item", naming.is_item)):
        keys = [name for name in seen if sounds(name) and guesses[name].kind == "categorical"]
        keys = [name for name in keys if name not in taken | {*left_out}]
        if keys:
            fields[role] = max(keys, key=lambda name: seen[name].values.values)
    titles = [name for name in seen if naming.is_title(name) and name not in {chosen, *left_out}]
    if len(titles) == 1 and "item" in fields and not seen[titles[0]].is_list:
        fields["title"] = titles[0]
    return Roles(fields, frozenset(taken), why, left_out)


def _label(seen: Mapping[str, Seen]) -> str | None:
    """The one column that sounds like a label, or like a rating; None where a log says only who
    met what.
    """
    binary = [name for name, each in seen.items() if _words(each) in _BINARY]
    named = [name for name, each in seen.items() if naming.is_label(name) and each.filled]
    for candidates in (
        [name for name in named if name in binary],
        named,
        [name for name in seen if naming.is_rating(name) and seen[name].numbers],
    ):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            break
    users, items = ([n for n in seen if sounds(n)] for sounds in (naming.is_user, naming.is_item))
    if users and items and not candidates and not {*binary} - {*users, *items}:
        return None
    candidates = candidates or binary or list(seen)
    raise ValueError(
        f"A schema wants one column to predict, and any of {', '.join(candidates)} may be it: say "
        "which is the label."
    )


def _words(seen: Seen) -> set[str]:
    """The values of a column that has few, in small letters."""
    return {value.text.lower() for value in seen.values.sample(5)}


def _positive(seen: Seen) -> tuple[str | float | None, str]:
    """Which labels are 1, where they are not written so, and what to say of them."""
    values = seen.values.sample()
    if _words(seen) in _BINARY:
        ones = sum(v.count for v in values if v.text.lower() in ("1", "1.0", "true"))
        return None, f"{ones / seen.filled:.2%} are 1"
    if seen.numbers == seen.filled:
        least, most = seen.summary.least, seen.summary.most
        numbers = sorted({float(value.text) for value in values})
        enough = least + _LIKED * (most - least)
        positive = next((number for number in numbers if number >= enough), most)
        share = sum(v.count for v in values if float(v.text) >= positive) / seen.filled
        return positive, f"{least:g} to {most:g}; about {share:.2%} are at least {positive:g}"
    yes = [value.text for value in values if value.text.lower() in _YES]
    if len(values) == 2 and len(yes) == 1:
        ones = sum(value.count for value in values if value.text in yes)
        return yes[0], f"{ones / seen.filled:.2%} are {yes[0]!r}"
    raise ValueError(
        f"The label {seen.name!r} wants numbers, true and false, or yes and no, got "
        f"{', '.join(repr(value.text) for value in seen.values.head(5))}: choose another label."
    )
