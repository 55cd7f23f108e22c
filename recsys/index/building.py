"""Vectors to an index that is known to find them."""

import numpy as np
from jaxtyping import Float32, Int64

from recsys.index.base import Spec
from recsys.index.checking import checked
from recsys.index.exact import Exact
from recsys.index.ids import check_ids
from recsys.index.index import Index
from recsys.index.ivf import IVF
from recsys.index.recall import AT, accepted
from recsys.index.saving import Built

MOST_EXACT = 50_000  # items that are searched one by one by default
PROBES = 256  # users kept with an index, to measure it again


def default(items: int) -> Spec:
    """The kind of index for a catalogue of so many items."""
    return Exact() if items <= MOST_EXACT else IVF()


def build(
    spec: Spec,
    vectors: Float32[np.ndarray, "items dim"],
    ids: Int64[np.ndarray, "ids"] | None = None,
    *,
    users: Float32[np.ndarray, "users dim"] | None = None,
    goal: float = 0.98,
    floor: float = 0.95,
    at: int = AT,
) -> Index:
    """An index of these items.

    Args:
        spec: Of which kind.
        vectors: Of the items; scores are their inner products with a query.
        ids: Of the items; None is their rows.
        users: Vectors of users held out from whatever the items were learned from; an index that
            is not exact is measured with them.
        goal: Recall up to which the effort of a search is raised.
        floor: Recall below which there is no index.
        at: Items of the lists whose recall is measured.

    Raises:
        RecallError: the index finds too little.
        ValueError: vectors or ids cannot be indexed, or users are wanted and missing.
    """
    vectors = checked(vectors, "Items")
    spec.check(vectors)
    ids = np.arange(len(vectors), dtype=np.int64) if ids is None else ids
    check_ids(ids, len(vectors))
    base = spec.build(vectors)
    if users is not None:
        users = checked(users, "Users", dim=vectors.shape[1])
    found = accepted(spec, base, users, goal=goal, floor=floor, at=at)
    kept = None if users is None else users[:PROBES].copy()
    return Index(Built(spec, base, ids, kept, found, goal, floor))
