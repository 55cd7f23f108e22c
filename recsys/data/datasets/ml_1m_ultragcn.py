"""MovieLens-1M for retrieval: 6,022 users and 3,043 films, in the split of UltraGCN.

Harper and Konstan, TiiS 2015; split by Mao et al., "UltraGCN", CIKM 2021. Files: `train.txt` and
`test.txt`, each line `user item item ...`, whole or gzipped.
"""

from pathlib import Path

from recsys.data.interactions import Interactions, existing, split_from_lists


def load(directory: Path) -> Interactions:
    """The published split.

    Raises:
        FileNotFoundError: a file is missing.
    """
    return split_from_lists((existing(directory, "train.txt"),), (existing(directory, "test.txt"),))
