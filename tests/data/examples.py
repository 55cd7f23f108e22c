"""Small examples that tests of loaders read: each says which one it is."""

import numpy as np

from recsys.features import Batch


def examples(count: int) -> Batch:
    """Examples whose every array holds their number."""
    number = np.arange(count)
    return Batch(
        high=np.zeros((count, 2), np.uint32),
        low=np.stack([number, number], axis=1).astype(np.uint32),
        valid=np.ones((count, 2), bool),
        numbers=number[:, None].astype(np.float32),
        label=number.astype(np.float32),
        weight=np.ones(count, np.float32),
    )


class Spied:
    """The same, which remembers what was asked of it, in order."""

    def __init__(self, data: Batch) -> None:
        self.data = data
        self.taken: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.data)

    def take(self, indices: np.ndarray | slice) -> Batch:
        part = self.data.take(indices)
        self.taken.append(part.low[:, 0].tolist())
        return part
