"""Rows in groups by their length: long vectors decide products, and are few.

Groups have equal sums of lengths, so that the first, of the longest, has the fewest rows. A row's
group takes a few bits; its place in the group is how many rows of the group stand before it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

from recsys.vectors.bits import pack, unpack
from recsys.vectors.method import Decode, Ids, Vectors

GROUPS = 4
BITS = 2  # that name a group


def grouped(vectors: Vectors) -> Int[np.ndarray, " rows"]:
    """The group of each row, 0 the one of the longest."""
    length = np.linalg.norm(vectors, axis=1).astype(np.float64)
    order = np.argsort(-length, kind="stable")
    mass = np.cumsum(length[order])
    found = np.empty(len(vectors), np.int64)
    share = mass / max(mass[-1], 1e-30)
    found[order] = np.minimum((share * GROUPS - 1e-9).astype(np.int64), GROUPS - 1)
    return found


def packed_groups(group: Int[np.ndarray, " rows"]) -> UInt8[np.ndarray, " bytes"]:
    """Groups as they are saved."""
    return pack(group[None, :], BITS)[0]


def by_group(
    packed: UInt8[np.ndarray, " bytes"], rows: int, dim: int, readers: Sequence[Decode | None]
) -> Decode:
    """Reads every row by the reader of its group, at its place there."""
    group = unpack(packed[None, :], BITS, rows)[0]
    place = np.empty(rows, np.int64)
    for number in range(GROUPS):
        own = np.flatnonzero(group == number)
        place[own] = np.arange(len(own))

    def decode(ids: Ids) -> np.ndarray:
        found = np.zeros((len(ids), dim), np.float32)
        for number, reader in enumerate(readers):
            asked = group[ids] == number
            if reader is not None and asked.any():
                found[asked] = reader(place[ids[asked]])
        return found

    return decode
