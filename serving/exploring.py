"""What the page asks beside recommendations: what the release is, and items and users by a few
letters.
"""

import collections
import dataclasses
import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec

from recsys.release import Release

MOST_CHOICES = 100  # of a column, that the page offers
MOST_USERS = 200  # that it offers before anybody typed
WORDS = 50  # different texts up to which a column is a choice


class Column(msgspec.Struct, omit_defaults=True):
    """What items can be filtered by."""

    kind: str  # choice, number or text
    choices: list[str] = []  # the most frequent first
    least: float | None = None
    most: float | None = None


class Told(msgspec.Struct):
    """A feature that a request may tell."""

    name: str
    kind: str


class About(msgspec.Struct, kw_only=True):
    """A release, for whoever asks it by hand."""

    release: str
    name: str
    task: str
    space_id: str
    created: str
    user_column: str
    history: str | None
    features: list[Told]
    columns: dict[str, Column]
    items: int
    users: int
    examples: list[str]  # users by name, as far as they are told
    quality: dict[str, Any]
    data: dict[str, Any]


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """A few letters."""

    query: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20


class FoundItems(msgspec.Struct):
    """Items whose id or title begins so, or has it in it."""

    items: list[dict[str, Any]]


class FoundUsers(msgspec.Struct):
    """Users whose name begins so."""

    users: list[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Explorer:
    """A release as the page asks it; its texts are folded once."""

    release: Release
    titles: list[str]  # folded
    names: list[str]

    @classmethod
    def of(cls, release: Release) -> "Explorer":
        """A release that is open."""
        items, known = release.items, release.known
        titles = items.columns.get("title", items.ids) if items is not None else []
        names = [name for name in (known.names if known and known.names else []) if name]
        return cls(release, [str(title or "").casefold() for title in titles], names)

    @functools.cached_property
    def _columns(self) -> dict[str, Column]:
        items = self.release.items
        return {} if items is None else {n: column(v) for n, v in items.columns.items()}

    def about(self) -> About:
        """What the release is."""
        release, manifest = self.release, self.release.manifest
        items = release.items
        return About(
            release=release.id,
            name=manifest["name"],
            task=release.task,
            space_id=release.space_id,
            created=manifest["created"],
            user_column=release.user_column,
            history=release.history,
            features=[Told(f.name, f.kind) for f in release.schema.features],
            columns=self._columns,
            items=0 if items is None else len(items),
            users=0 if release.known is None else len(release.known),
            examples=self.names[:MOST_USERS],
            quality=manifest["quality"],
            data=manifest["data"],
        )

    def items(self, asked: Search) -> FoundItems:
        """Items by their id or a part of their title, those that begin so first."""
        items, wanted = self.release.items, asked.query.strip().casefold()
        if items is None or not wanted:
            return FoundItems([])
        row = items.row_of(asked.query.strip())
        begins = [n for n, title in enumerate(self.titles) if title.startswith(wanted)]
        inside = [n for n, title in enumerate(self.titles) if wanted in title]
        rows: dict[int, None] = dict.fromkeys([*begins, *inside])
        exact = [] if row is None else [row]
        found = [*exact, *(each for each in rows if each != row)][: asked.limit]
        return FoundItems([{"id": items.ids[row], **items.get(row)} for row in found])

    def users(self, asked: Search) -> FoundUsers:
        """Users by the beginning of their name."""
        wanted = asked.query.strip()
        found = (name for name in self.names if name.startswith(wanted))
        return FoundUsers(list(itertools.islice(found, asked.limit)))


def column(values: Sequence[Any]) -> Column:
    """What a column can be filtered by."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(v, int | float) and not isinstance(v, bool) for v in there):
        return Column("number", least=float(min(there)), most=float(max(there)))
    parts = collections.Counter(_parts(there))
    is_list = any(isinstance(value, list) for value in there)
    if not is_list and len(parts) > WORDS:
        return Column("text")
    return Column("choice", choices=[name for name, _ in parts.most_common(MOST_CHOICES)])


def _parts(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        yield from map(str, value) if isinstance(value, list) else [str(value)]
