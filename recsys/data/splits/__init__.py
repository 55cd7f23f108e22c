"""Which examples train a model, which choose it and which judge it.

Decided row by row as a log streams by, in bounded memory. The result depends on the spec and the
log alone, not on how the log is cut. Where one cannot know before the end (which row of a user is
the last), the log is read once more.
"""

from recsys.data.splits.by_time import GlobalTime, Progressive
from recsys.data.splits.drawn import ByUser, Random
from recsys.data.splits.last_out import LeaveLastOut
from recsys.data.splits.plan import NAMES, NONE, Plan, Split

SPLITS: dict[str, type[Split]] = {
    "random": Random,
    "by_user": ByUser,
    "leave_last_out": LeaveLastOut,
    "global_time": GlobalTime,
    "progressive": Progressive,
}

__all__ = [
    "NAMES",
    "NONE",
    "SPLITS",
    "ByUser",
    "GlobalTime",
    "LeaveLastOut",
    "Plan",
    "Progressive",
    "Random",
    "Split",
]
