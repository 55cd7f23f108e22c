"""Tables as text: what a command prints, and how its cells are spelled."""

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Rows under heads, and what they are about."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    def __str__(self) -> str:
        cells = [self.heads, *(tuple(map(spelled, row)) for row in self.rows)]
        widths = [max(len(row[n]) for row in cells) for n in range(len(self.heads))]
        is_text = [
            all(isinstance(row[n], str) for row in self.rows) for n in range(len(self.heads))
        ]
        lines = [
            "  ".join(
                cell.ljust(width) if left else cell.rjust(width)
                for cell, width, left in zip(row, widths, is_text, strict=True)
            ).rstrip()
            for row in cells
        ]
        return "\n".join([self.title, *lines])


def spelled(value: Any) -> str:
    """A cell of a table: numbers with separators and four digits, nothing as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)
