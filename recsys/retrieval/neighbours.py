"""Neighbours: items that the same users met, as a feature that the tower of items reads.

An item's vector is then the sum of its own row and the mean of its neighbours' rows: one step over
the graph of items, so that what is learned of an item speaks for those beside it. UltraGCN (Mao et
al., CIKM 2021, section 3.2) puts such a graph into a loss; a feature needs none, stands in the
release, and is read from what an item that comes later names as its neighbours.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int
from scipy.sparse import csr_array

from recsys.data.interactions import size
from recsys.features.batch import Batch
from recsys.features.feature import Feature
from recsys.features.schema import Schema
from recsys.retrieval.baselines.item_knn import ItemKNN
from recsys.retrieval.known import Known, Rows, levels

NEIGHBOURS = "neighbours"


def with_neighbours(known: Known, count: int, *, space: str = "item") -> Known:
    """The same users and items, each item with its nearest neighbours in train beside its features.

    Args:
        known: whose train says who met what.
        count: of neighbours, at most; an item that shares no user with another has none.
        space: the key space of items.
    """
    own = rows_of(known.train, count, space=space)
    if known.item_rows is None:
        return dataclasses.replace(known, item_rows=own)
    before, features = known.item_rows.batch, known.item_rows.schema.features
    high, low, valid = (
        np.concatenate([np.asarray(getattr(batch, part)) for batch in (before, own.batch)], axis=1)
        for part in ("high", "low", "valid")
    )
    batch = dataclasses.replace(before, high=high, low=low, valid=valid)
    both = Schema((*features, *own.schema.features), label=None)
    return dataclasses.replace(known, item_rows=Rows(both, batch))


def rows_of(train: csr_array, count: int, *, space: str = "item") -> Rows:
    """The neighbours of every item as a bag, the nearest first, as `with_neighbours`."""
    items = size(train)[1]
    popularity = np.bincount(train.indices, minlength=items)
    low, valid = nearest_items(train, count)
    feature = Feature(
        NEIGHBOURS, kind="bag", length=count, values=items, space=space, counts=levels(popularity)
    )
    return Rows(
        Schema((feature,), label=None),
        Batch(
            high=np.zeros(low.shape, np.uint32),
            low=low.astype(np.uint32),
            valid=valid,
            numbers=np.zeros((items, 0), np.float32),
            label=np.zeros(items, np.float32),
            weight=np.ones(items, np.float32),
        ),
    )


def nearest_items(
    train: csr_array, count: int
) -> tuple[Int[np.ndarray, "items count"], Bool[np.ndarray, "items count"]]:
    """The items nearest to each by the cosine between their columns, and which are there."""
    similar = ItemKNN(neighbours=count).fit(train).weight
    assert isinstance(similar, csr_array)
    item = np.repeat(np.arange(size(train)[1]), np.diff(similar.indptr))
    order = np.lexsort((np.negative(similar.data), item))
    place = np.arange(similar.nnz) - similar.indptr[item]
    found = np.zeros((size(train)[1], count), np.int64)
    valid = np.zeros(found.shape, bool)
    found[item, place], valid[item, place] = similar.indices[order], True
    return found, valid
