"""Data sets by name: one line each. A loader takes the folder of its files and returns columns; the
schema says which of them a model reads.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys.data.datasets import avazu, criteo, frappe, movielens_1m, movielens_100k, planted
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

__all__ = [
    "DATASETS",
    "SCHEMAS",
    "avazu",
    "criteo",
    "frappe",
    "movielens_1m",
    "movielens_100k",
    "planted",
]
