"""Gowalla: check-ins of 29,858 users at 40,981 places, in the split of NGCF and LightGCN.

Cho et al., KDD 2011; split at random within each user by Wang et al., "Neural Graph Collaborative
Filtering", SIGIR 2019. Files: `train.txt` and `test.txt`, and `valid.txt` where a copy keeps part
of train apart, each line `user item item ...`, whole or gzipped.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from recsys.data.interactions import Interactions, existing, read_lists, sparse, split_from_lists


def load(directory: Path) -> Interactions:
    """The published split; what a copy calls `valid` belongs to train.

    Raises:
        FileNotFoundError: a file is missing.
    """
    train = [existing(directory, "train.txt")]
    train += [path for path in (existing(directory, "valid.txt"),) if path.is_file()]
    return split_from_lists(tuple(train), (existing(directory, "test.txt"),))


def validation(
    directory: Path, *, share: float = 0.15, end: Literal["first", "last"] = "last"
) -> Interactions:
    """Part of train as test: of each user so many of the items that its list ends with.

    The lists are in the order of visits, and the published test is what came after: what is hidden
    at random from train is easier to find than test is, and chooses other settings
    (`experiments/retrieval/order.py`). A copy's `valid`, whose items have lost their place, stays
    in train.

    Args:
        directory: of the lists.
        share: of a user's items, rounded down; at least two of them stay.
        end: of the list that is put aside; the first is for comparison.

    Raises:
        FileNotFoundError: a file is missing.
    """
    whole = load(directory)
    users, items = read_lists(existing(directory, "train.txt"))
    listed = np.bincount(users, minlength=whole.users)
    place = np.arange(len(users)) - np.repeat(np.cumsum(listed) - listed, listed)
    aside = (np.diff(whole.train.indptr) * share).astype(np.int64)
    aside = np.clip(np.minimum(aside, listed - 2), 0, None)[users]
    is_aside = place < aside if end == "first" else place >= listed[users] - aside
    shape = (whole.users, whole.items)
    test = sparse(users[is_aside], items[is_aside], shape)
    train = csr_array(whole.train - test)
    train.eliminate_zeros()
    return Interactions(train, test)
