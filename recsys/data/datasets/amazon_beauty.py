"""Amazon Beauty: 198,502 reviews of 12,101 products by 22,363 users, the last of each user as test.

McAuley et al., SIGIR 2015; users and items of at least five reviews, in the file of Zhou et al.,
"S3-Rec", CIKM 2020, which work on sequences and semantic ids reads as well. File: `Beauty.txt`,
each line `user item item ...` in order of time and numbered from 1, whole or gzipped.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Integer

from recsys.data.interactions import Interactions, existing, read_lists, sparse

FILE = "Beauty.txt"
USERS, ITEMS, PAIRS = 22_363, 12_101, 198_502


def load(directory: Path, *, is_whole: bool = True) -> Interactions:
    """The last item of each user is test and all before it train; both are numbered from 0 here.

    A last item that its user had met before would stay in train alone, since nobody is shown what
    was seen; in the published file no user meets an item twice. 52 test items are in no train.

    Args:
        is_whole: refuses a file with other numbers of users, items or interactions than published.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: it is truncated, edited or not numbered from 1.
    """
    users, items = (ids - 1 for ids in read_lists(existing(directory, FILE)))
    _check(users, items, is_whole=is_whole)
    shape = (1 + int(users.max()), 1 + int(items.max()))
    is_last = np.append(users[1:] != users[:-1], True)
    pairs = users * shape[1] + items
    is_new = is_last & ~np.isin(pairs, pairs[~is_last])
    train = sparse(users[~is_last], items[~is_last], shape)
    return Interactions(train, sparse(users[is_new], items[is_new], shape))


def _check(
    users: Integer[np.ndarray, " pairs"], items: Integer[np.ndarray, " pairs"], *, is_whole: bool
) -> None:
    if min(users.min(initial=0), items.min(initial=0)) < 0:
        raise ValueError(
            f"Amazon Beauty numbers users and items from 1, and {FILE} holds a 0 or less: fetch "
            "S3-Rec's file."
        )
    found = len(np.unique(users)), len(np.unique(items)), len(users)
    if is_whole and found != (USERS, ITEMS, PAIRS):
        raise ValueError(
            f"Amazon Beauty has {USERS:,} users, {ITEMS:,} items and {PAIRS:,} interactions, and "
            f"{FILE} has {found[0]:,}, {found[1]:,} and {found[2]:,}: it is truncated or edited, "
            "fetch it again."
        )
