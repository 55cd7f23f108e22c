"""Splits by time: what is judged came after all that was trained on, as when a model is served."""

import dataclasses
from typing import Literal

import numpy as np

from recsys.data.record import Events
from recsys.data.splits.drawn import check_shares
from recsys.data.splits.plan import NONE, TEST, TRAIN, VALID, Numbers, Rows
from recsys.features import join, philox, salt, split
from recsys.features.summaries import Summary
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class GlobalTime:
    """The latest rows judge, those before them choose, the earlier ones train.

    Two moments divide the log; they are exact in a log of some ten thousand rows and taken from a
    sample of a longer one. Rows of one moment stay together, so shares are met about.
    """

    valid: float = 0.1  # share of rows, 0 to 1
    test: float = 0.1  # share of rows, 0 to 1

    def __post_init__(self) -> None:
        """Refuses shares that leave nothing to train on."""
        check_shares("GlobalTime", valid=self.valid, test=self.test)

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """Times."""
        return ("timestamp",)

    def plan(self) -> "GlobalTimePlan":
        """Observes when things happened."""
        return GlobalTimePlan(self)


class GlobalTimePlan:
    """`GlobalTime` of one log."""

    wants_pass = True

    def __init__(self, spec: GlobalTime) -> None:
        """Nothing seen."""
        self._shares = np.array([1 - spec.valid - spec.test, 1 - spec.test])
        self._times = Summary()

    def observe(self, events: Events, rows: Rows) -> None:
        """Takes note of times, by a draw that belongs to the row."""
        assert events.timestamp is not None
        draws = philox(*split(rows.astype(np.uint64)), salt("GlobalTime"))
        self._times.add(events.timestamp, join(draws))

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """What is after the moments."""
        assert events.timestamp is not None
        ends = self._times.quantiles(self._shares)  # the last moments of train and valid
        return np.searchsorted(ends, events.timestamp, side="left").astype(np.uint8)


@spec
@dataclasses.dataclass(frozen=True)
class Progressive:
    """The last days judge, the days before them choose, all earlier ones train.

    Imports with `skip` 6, 5, ..., 0 give a week of models, each judged on the day after its own.
    """

    valid: int = 1  # days
    test: int = 1  # days
    skip: int = 0  # days at the end of the log that are left out
    day_s: float = 86_400.0  # how long a day is; they begin at midnight, UTC

    def __post_init__(self) -> None:
        """Refuses days that are none."""
        if min(self.valid, self.test - 1, self.skip) < 0 or self.day_s <= 0:
            raise ValueError(
                f"Progressive wants days of some length, one or more to test, got {self}: use "
                "valid >= 0, test >= 1, skip >= 0 and day_s > 0."
            )

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """Times."""
        return ("timestamp",)

    def plan(self) -> "ProgressivePlan":
        """Observes which day is the last."""
        return ProgressivePlan(self)


class ProgressivePlan:
    """`Progressive` of one log."""

    wants_pass = True

    def __init__(self, spec: Progressive) -> None:
        """Nothing seen."""
        self._spec = spec
        self._last = -np.inf

    def observe(self, events: Events, rows: Rows) -> None:
        """Takes note of the latest time."""
        assert events.timestamp is not None
        self._last = max(self._last, events.timestamp.max(initial=-np.inf))

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """By days before the last."""
        assert events.timestamp is not None
        spec = self._spec
        day, last = (np.floor(time / spec.day_s) for time in (events.timestamp, self._last))
        before = last - spec.skip - day
        numbers = np.full(len(rows), TRAIN, np.uint8)
        numbers[before < spec.test + spec.valid] = VALID
        numbers[before < spec.test] = TEST
        numbers[before < 0] = NONE
        return numbers
