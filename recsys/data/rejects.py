"""Rows that no example can be made of: where they stand, why, and the file that keeps them."""

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

OnBadRows = Literal["stop", "skip"]

TEXT_LIMIT = 1_000  # characters of a rejected row that are kept


@dataclasses.dataclass(frozen=True)
class Reject:
    """A row of a log that was refused."""

    file: str
    place: int  # from 1
    reason: str  # a clause: "has 3 cells, not 4"
    text: str = ""  # the row, as far as it can be shown
    unit: str = "line"  # what places count; "row" where a format has no lines

    def __str__(self) -> str:
        shown = f" ({self.text[:80]!r})" if self.text else ""
        return f"{self.file}, {self.unit} {self.place}: {self.reason}{shown}"


class Rejects:
    """Where rejected rows go: the first one is an error, or all are counted and written down."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        """Rejected rows go there as lines of JSON; with nothing to write, the first is an error."""
        self.count = 0
        self._write = write

    def add(self, rejects: Iterable[Reject]) -> None:
        """Takes note of rejected rows.

        Raises:
            ValueError: there is one, and nothing that writes it down.
        """
        for reject in rejects:
            if self._write is None:
                raise ValueError(
                    f"{reject}: mend the row, or skip such rows with on_bad_rows='skip'."
                )
            self.count += 1
            row = dataclasses.asdict(reject) | {"text": reject.text[:TEXT_LIMIT]}
            self._write(json.dumps(row, ensure_ascii=False) + "\n")


def read(path: Path) -> list[Reject]:
    """The rejected rows that an import left behind."""
    return [Reject(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
