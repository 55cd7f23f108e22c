"""What a log holds, and the schema that it suggests: types, values, missing cells, frequencies.

description = describe("events.csv")
print(description)
description.write(Path("events.schema.toml"))
"""

import dataclasses
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from recsys.data.formats import Format
from recsys.data.guessing import Guess, guess
from recsys.data.observing import Cells, Seen, cells_of
from recsys.data.passes import Columns, each_chunk
from recsys.data.reading import Source, files, pieces
from recsys.data.roles import Roles, roles
from recsys.features.schema import Schema
from recsys.features.schema_file import write

HEAD = 3  # most frequent values that are shown
SHOWN = 24  # characters of a value


@dataclasses.dataclass(frozen=True, eq=False)
class Described:
    """One column: what was seen, and what it is taken for."""

    seen: Seen
    rows: int
    guess: Guess

    @property
    def name(self) -> str:
        """Of the column."""
        return self.seen.name

    @property
    def values(self) -> str:
        """How many different values; an estimate is marked."""
        frequencies = self.seen.values
        return f"{'' if frequencies.is_exact else 'about '}{frequencies.values:,}"

    @property
    def missing(self) -> str:
        """The share of rows without a value."""
        words = self.seen.nothing / self.rows if self.guess.kind == "numeric" else 0.0
        return _percent(self.seen.missing(self.rows) + words)

    @property
    def once(self) -> str:
        """How many of the values came once: the tail of the frequencies."""
        return _percent(self.seen.values.once)

    @property
    def head(self) -> str:
        """The range of numbers; else the most frequent values, and their share of all cells."""
        if self.guess.kind == "numeric":
            summary = self.seen.summary
            return f"{summary.least:.6g} to {summary.most:.6g}, mean {summary.mean:.6g}"
        frequencies = self.seen.values
        shown = [
            f"{_short(value.text)} {_percent(value.count / self.seen.filled)}"
            for value in frequencies.head(HEAD)
        ]
        return ", ".join(shown) or "none often"

    @property
    def note(self) -> str:
        """All of it as a comment."""
        seen = f"{self.values} values, {self.once} of them once, {self.missing} of rows missing"
        return f"{self.guess.why}: {self.head}\n{seen}"


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """A log as it was seen."""

    files: tuple[Path, ...]
    rows: int
    rejected: int  # rows that could not be read
    columns: tuple[Described, ...]
    label: str | None  # as asked for

    @cached_property
    def roles(self) -> Roles:
        """Which columns are the label, the time, the user and the item.

        Raises:
            ValueError: no column, or more than one, may be the label.
        """
        guesses = {each.name: each.guess for each in self.columns}
        return roles({each.name: each.seen for each in self.columns}, guesses, label=self.label)

    @property
    def schema(self) -> Schema:
        """The schema that the log suggests.

        Raises:
            ValueError: no column, or more than one, may be the label, or none is left to read.
        """
        others = {*self.roles.taken, *self.roles.left_out}
        kept = [each.guess.feature for each in self.columns if each.name not in others]
        return Schema(tuple(feature for feature in kept if feature), **self.roles.fields)

    def write(self, path: Path) -> None:
        """Writes the schema as a file, with what was seen as comments."""
        left_out = {each.name: each.guess.why for each in self.columns if not each.guess.feature}
        notes = {each.name: each.note for each in self.columns}
        write(
            self.schema,
            path,
            head=f"{self._title}\nMend what is wrong; a field that is left out has its default.",
            notes={**notes, "label": self.roles.told},
            left_out={**left_out, **self.roles.left_out},
        )

    def __str__(self) -> str:
        rows = [("column", "seen as", "values", "once", "missing", "most frequent, or range")]
        rows += [(e.name, e.guess.kind, e.values, e.once, e.missing, e.head) for e in self.columns]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        return "\n".join([self._title, "", *lines])

    @property
    def _title(self) -> str:
        first, *others = self.files
        more = f" and {len(others)} more" if others else ""
        bad = f", and {self.rejected:,} that could not be read" if self.rejected else ""
        return f"{first.name}{more}: {self.rows:,} rows{bad}, {len(self.columns)} columns"


def describe(
    paths: Source | Iterable[Source], *, label: str | None = None, format: Format | None = None
) -> Description:
    """Reads a log once, in bounded memory, and says what its columns hold.

    Args:
        paths: As `open_log` takes them.
        label: The column to predict, if its name does not say so.
        format: Instead of what the suffix says.

    Raises:
        ValueError: a file is empty or damaged, or there is no such label.
    """
    found = files(paths)
    seen: dict[str, Seen] = {}
    rows = rejected = 0
    for done in each_chunk(pieces(found, format=format), _cells):
        rows += len(done.chunk)
        rejected += len(done.rejects)
        for name, cells in done.result.items():
            seen.setdefault(name, Seen(name)).add(cells)
    if not rows:
        raise ValueError(f"{found[0]}, line 1: a log wants rows that can be read, got none.")
    if label is not None and label not in seen:
        raise ValueError(f"No column {label!r} to predict: there are {', '.join(seen)}.")
    columns = tuple(Described(each, rows, guess(each, rows)) for each in seen.values())
    return Description(tuple(found), rows, rejected, columns, label)


def _cells(columns: Columns) -> Mapping[str, Cells | None]:
    return {name: cells_of(column) for name, column in columns.items()}


def _percent(share: float) -> str:
    """A share; a little is not nothing."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
