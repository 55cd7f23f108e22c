"""Users' vectors to items as they are shown: one search for all that share a filter."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int64

from recsys.index import NOTHING
from recsys.index.top import top
from serving.loaded import Loaded


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """Who wants how many items, which ones, and which not."""

    place: int  # among the requests of a batch
    vector: Float32[np.ndarray, "dim"]
    k: int
    mask: Bool[np.ndarray, "catalogue"] | None
    excluded: Int64[np.ndarray, "rows"]
    is_known: bool = True  # False: nothing is known of the user, so popular items are shown


def ranked(
    loaded: Loaded, asked: Sequence[Asked]
) -> Iterator[tuple[Asked, Int64[np.ndarray, "k"], Float32[np.ndarray, "k"]]]:
    """The rows of the items of each, best first, and their scores."""
    groups: dict[int, list[Asked]] = {}
    for one in asked:
        if one.is_known:
            groups.setdefault(id(one.mask), []).append(one)
        else:
            yield one, *_popular(loaded, one)
    for group in groups.values():
        found = loaded.index.search(
            np.stack([one.vector for one in group]),
            max(one.k for one in group),
            allowed=group[0].mask,
            excluded=_padded([one.excluded for one in group]),
        )
        for number, one in enumerate(group):
            ids, scores = found.ids[number, : one.k], found.scores[number, : one.k]
            yield one, ids[ids != NOTHING], scores[ids != NOTHING]


def _popular(
    loaded: Loaded, asked: Asked
) -> tuple[Int64[np.ndarray, "k"], Float32[np.ndarray, "k"]]:
    """What most have met, by its share of the most popular item."""
    scores = np.zeros(len(loaded.catalogue), np.float32)
    popularity = loaded.release.popularity
    scores[: len(popularity)] = popularity
    scores[~loaded.index.has(np.arange(len(scores)))] = -np.inf
    if asked.mask is not None:
        scores[: len(asked.mask)][~asked.mask] = -np.inf
        scores[len(asked.mask) :] = -np.inf
    scores[asked.excluded] = -np.inf
    rows = top(scores, asked.k)
    return rows, scores[rows]


def _padded(lists: Sequence[Int64[np.ndarray, "_"]]) -> Int64[np.ndarray, "queries most"] | None:
    most = max(map(len, lists))
    if not most:
        return None
    found = np.full((len(lists), most), NOTHING, np.int64)
    for number, rows in enumerate(lists):
        found[number, : len(rows)] = rows
    return found
