"""What settings are chosen on: part of train, put aside the way that test was."""

from pathlib import Path

from recsys.data.datasets import INTERACTIONS, gowalla
from recsys.data.interactions import Interactions

# Of a user's items in train; of Amazon Beauty more, since most of its users have few.
SHARES = {"amazon-beauty": 0.25}
SHARE = 0.1


def validation(name: str, folder: Path, *, seed: int) -> Interactions:
    """A data set's train in two parts: at random within each user, but for Gowalla, whose test is
    the end of each user's list.

    Args:
        name: of the data set.
        folder: of all data sets.
        seed: of what is random.
    """
    if name == "gowalla":
        return gowalla.validation(folder / name)
    return INTERACTIONS[name](folder / name).validation(SHARES.get(name, SHARE), seed=seed)
