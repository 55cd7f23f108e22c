"""Indexes: vectors to the nearest items. THE REGISTRY: one line a kind."""

from recsys.index.base import Base, Spec
from recsys.index.building import build, default
from recsys.index.exact import Exact
from recsys.index.found import NOTHING, Found, Reasons
from recsys.index.hnsw import HNSW
from recsys.index.index import Index, Stats
from recsys.index.ivf import IVF
from recsys.index.pq import PQ
from recsys.index.recall import RecallError
from recsys.index.sparse import Sparse
from recsys.index.sq8 import SQ8

INDEXES: dict[str, type[Spec]] = {
    "exact": Exact,
    "hnsw": HNSW,
    "ivf": IVF,
    "pq": PQ,
    "sparse": Sparse,
    "sq8": SQ8,
}

__all__ = [
    "HNSW",
    "INDEXES",
    "IVF",
    "NOTHING",
    "PQ",
    "SQ8",
    "Base",
    "Exact",
    "Found",
    "Index",
    "Reasons",
    "RecallError",
    "Sparse",
    "Spec",
    "Stats",
    "build",
    "default",
]
