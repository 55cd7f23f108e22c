"""What a split is: a spec, and the plan it makes for one log."""

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from recsys.data.record import Events

NAMES = ("train", "valid", "test")
TRAIN, VALID, TEST, NONE = range(4)  # numbers of splits; NONE is left out
Numbers = UInt8[np.ndarray, "rows"]
Rows = Int64[np.ndarray, "rows"]  # the numbers of the good rows of a log, from 0


@runtime_checkable
class Plan(Protocol):
    """A split of one log, which streams by."""

    wants_pass: bool  # whether it must observe the whole log before it deals

    def observe(self, events: Events, rows: Rows) -> None:
        """Takes note of rows, in the order of the log."""
        ...

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """The split of each row."""
        ...


@runtime_checkable
class Split(Protocol):
    """How a log is split: a frozen spec."""

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """What the schema must name."""
        ...

    def plan(self) -> Plan:
        """The split of a log that is about to be read."""
        ...


class OnePass:
    """A plan that need not observe anything."""

    wants_pass = False

    def observe(self, events: Events, rows: Rows) -> None:
        """Forgets it."""
