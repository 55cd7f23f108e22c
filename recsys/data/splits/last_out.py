"""Leave the last rows of each user out: the split of sequential recommendation."""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, UInt64

from recsys.data.record import Events
from recsys.data.splits.plan import TEST, TRAIN, VALID, Numbers, Rows
from recsys.spec import spec

SETTLED_ROWS = 2**20  # fewer than these wait until they are worth sorting


@spec
@dataclasses.dataclass(frozen=True)
class LeaveLastOut:
    """Each user's last rows judge, those before them choose, the rest train.

    Last is by time, or by the order of the log where the schema names no timestamp; that order
    decides between equal times too. Users with no more rows than would be left out only train.
    """

    valid: int = 1  # rows of each user
    test: int = 1  # rows of each user

    def __post_init__(self) -> None:
        """Refuses to leave out nothing."""
        if min(self.valid, self.test) < 0 or self.valid + self.test < 1:
            raise ValueError(
                f"LeaveLastOut wants a row or more to leave out, got valid={self.valid} and "
                f"test={self.test}: use 1 and 1."
            )

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """Users."""
        return ("user",)

    def plan(self) -> "LastOutPlan":
        """Observes which rows are last."""
        return LastOutPlan(self)


class _Last(NamedTuple):
    """Rows that may be the last of their user."""

    users: UInt64[np.ndarray, "rows"]
    times: Float64[np.ndarray, "rows"]
    rows: Int64[np.ndarray, "rows"]


class LastOutPlan:
    """`LeaveLastOut` of one log; remembers a few rows of each user."""

    wants_pass = True

    def __init__(self, spec: LeaveLastOut) -> None:
        """Nothing seen."""
        self._spec = spec
        self._keeps = spec.valid + spec.test + 1  # one more, to know who has more
        self._last = _Last(np.zeros(0, np.uint64), np.zeros(0), np.zeros(0, np.int64))
        self._waiting: list[_Last] = []

    def observe(self, events: Events, rows: Rows) -> None:
        """Takes note of rows; sorts them in when as many wait as are remembered."""
        assert events.user is not None
        times = np.zeros(len(rows)) if events.timestamp is None else events.timestamp
        self._waiting.append(_Last(events.user, times, rows))
        if sum(len(new.rows) for new in self._waiting) > max(len(self._last.rows), SETTLED_ROWS):
            self._settle()

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """The split of rows, all of which were observed."""
        if self._waiting:
            self._settle()
        left_out, numbers = self._left_out
        if not len(left_out):
            return np.full(len(rows), TRAIN, np.uint8)
        place = np.minimum(np.searchsorted(left_out, rows), len(left_out) - 1)
        return np.where(left_out[place] == rows, numbers[place], np.uint8(TRAIN))

    def _settle(self) -> None:
        """Keeps the last rows of each user, and works out which of them are left out."""
        users, times, rows = map(np.concatenate, zip(self._last, *self._waiting, strict=True))
        order = np.lexsort((rows, times, users))
        users, times, rows = users[order], times[order], rows[order]
        behind, count = _places(users)
        kept = behind < self._keeps
        self._last = _Last(users[kept], times[kept], rows[kept])
        self._waiting = []
        left_out = (behind < self._keeps - 1) & (count >= self._keeps)
        numbers = np.where(behind < self._spec.test, TEST, VALID)[left_out].astype(np.uint8)
        order = np.argsort(rows[left_out])
        self._left_out = rows[left_out][order], numbers[order]


def _places(
    users: UInt64[np.ndarray, "rows"],
) -> tuple[Int64[np.ndarray, "rows"], Int64[np.ndarray, "rows"]]:
    """How many rows of the same user stand behind each, and how many it has; users are sorted."""
    _, counts = np.unique(users, return_counts=True)
    stops = np.repeat(np.cumsum(counts), counts)
    return stops - 1 - np.arange(len(users)), np.repeat(counts, counts)
