"""Gowalla: check-ins of 29,858 users at 40,981 places, in the split of NGCF and LightGCN.

Cho et al., KDD 2011; split at random within each user by Wang et al., "Neural Graph Collaborative
Filtering", SIGIR 2019. Files: `train.txt` and `test.txt`, and `valid.txt` where a copy keeps part
of train apart, each line `user item item ...`, whole or gzipped.
"""

from pathlib import Path

from recsys.data.interactions import Interactions, existing, split_from_lists


def load(directory: Path) -> Interactions:
    """The published split; what a copy calls `valid` belongs to train.

    Raises:
        FileNotFoundError: a file is missing.
    """
    train = [existing(directory, "train.txt")]
    train += [path for path in (existing(directory, "valid.txt"),) if path.is_file()]
    return split_from_lists(tuple(train), (existing(directory, "test.txt"),))
