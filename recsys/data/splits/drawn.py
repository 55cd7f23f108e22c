"""Splits by lot: of rows, or of users with all their rows."""

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import UInt64

from recsys.data.record import Events
from recsys.data.splits.plan import TEST, TRAIN, VALID, Numbers, OnePass, Rows
from recsys.features import salt, split, uniform
from recsys.spec import spec


@spec
@dataclasses.dataclass(frozen=True)
class Random:
    """Each row by a draw of its own; shares are met on average."""

    valid: float = 0.1  # share, 0 to 1
    test: float = 0.1  # share, 0 to 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses shares that leave nothing to train on."""
        check_shares("Random", valid=self.valid, test=self.test)

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """Nothing."""
        return ()

    def plan(self) -> "RandomPlan":
        """Draws by the row's number."""
        return RandomPlan(self)


class RandomPlan(OnePass):
    """`Random` of one log."""

    def __init__(self, spec: Random) -> None:
        """By a spec."""
        self._spec = spec

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """Draws by the row's number."""
        return _drawn(rows.astype(np.uint64), self._spec)


@spec
@dataclasses.dataclass(frozen=True)
class ByUser:
    """All rows of a user together, by the hash of the key: judges on users never seen."""

    valid: float = 0.1  # share of users, 0 to 1
    test: float = 0.1  # share of users, 0 to 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses shares that leave nobody to train on."""
        check_shares("ByUser", valid=self.valid, test=self.test)

    @property
    def needs(self) -> tuple[Literal["user", "timestamp"], ...]:
        """Users."""
        return ("user",)

    def plan(self) -> "ByUserPlan":
        """Draws by the user's key."""
        return ByUserPlan(self)


class ByUserPlan(OnePass):
    """`ByUser` of one log."""

    def __init__(self, spec: ByUser) -> None:
        """By a spec."""
        self._spec = spec

    def deal(self, events: Events, rows: Rows) -> Numbers:
        """Draws by the user's key."""
        assert events.user is not None
        return _drawn(events.user, self._spec)


def check_shares(name: str, *, valid: float, test: float) -> None:
    """Refuses shares below nothing, or that leave nothing to train on."""
    if min(valid, test) < 0 or valid + test >= 1:
        raise ValueError(
            f"{name} wants shares from 0 that sum to less than 1, got valid={valid} and "
            f"test={test}: leave some rows to train on."
        )


def _drawn(keys: UInt64[np.ndarray, "rows"], spec: Random | ByUser) -> Numbers:
    draws = uniform(*split(keys), salt(type(spec).__name__, spec.seed))
    numbers = np.full(len(keys), TRAIN, np.uint8)
    numbers[draws < spec.valid + spec.test] = VALID
    numbers[draws < spec.test] = TEST
    return numbers
