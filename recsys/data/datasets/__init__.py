"""Data sets by name: one line each. A loader takes the folder of its files and returns columns; the
schema says which of them a model reads.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys.data.datasets import (
    amazon_beauty,
    avazu,
    criteo,
    frappe,
    gowalla,
    ml_1m_time,
    ml_1m_ultragcn,
    movielens_1m,
    movielens_100k,
    planted,
)
from recsys.data.interactions import Interactions
from recsys.features import Schema

DATASETS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {
    "ml-100k": movielens_100k.load,
    "ml-1m": movielens_1m.load,
    "frappe": frappe.load,
    "criteo": criteo.load,
    "avazu": avazu.load,
}
# The labels of MovieLens are what `clicks` makes of its ratings; the others come with theirs.
SCHEMAS: dict[str, Schema] = {
    "ml-100k": movielens_1m.SCHEMA,
    "ml-1m": movielens_1m.SCHEMA,
    "ml-1m-crossed": movielens_1m.crossed(),
    "frappe": frappe.SCHEMA,
    "criteo": criteo.SCHEMA,
    "avazu": avazu.SCHEMA,
    "planted": planted.SCHEMA,
}
# Who met what, in a published split: for retrieval over the whole catalogue.
INTERACTIONS: dict[str, Callable[[Path], Interactions]] = {
    "gowalla": gowalla.load,
    "ml-1m-ultragcn": ml_1m_ultragcn.load,
    "ml-1m-time": ml_1m_time.load,
    "amazon-beauty": amazon_beauty.load,
}

__all__ = [
    "DATASETS",
    "INTERACTIONS",
    "SCHEMAS",
    "amazon_beauty",
    "avazu",
    "criteo",
    "frappe",
    "gowalla",
    "ml_1m_time",
    "ml_1m_ultragcn",
    "movielens_1m",
    "movielens_100k",
    "planted",
]
