"""Vectors that exist already, in fewer bytes: methods that need no training run. THE REGISTRY.

    compress(vectors, "pq", budget_bytes=vectors.nbytes // 10, path="items.vectors")
    some = load("items.vectors").decode(ids)  # without the original

One file a method, one line each here.
"""

from recsys.vectors.dedup import Dedup
from recsys.vectors.fidelity import Fidelity, fidelity
from recsys.vectors.file import Compressed, compress, load
from recsys.vectors.integer import Integer
from recsys.vectors.magnitude_pq import MagnitudePQ
from recsys.vectors.magnitude_svd import MagnitudeSVD
from recsys.vectors.method import VECTOR_METHODS, VectorMethod
from recsys.vectors.opq import OPQ
from recsys.vectors.pq import PQ
from recsys.vectors.pruning import Pruning
from recsys.vectors.svd import SVD
from recsys.vectors.tt import TT

VECTOR_METHODS |= {
    "int8": Integer(8),
    "int16": Integer(16),
    "pq": PQ(),
    "opq": OPQ(),
    "magnitude_pq": MagnitudePQ(),
    "svd": SVD(),
    "magnitude_svd": MagnitudeSVD(),
    "tt": TT(),
    "dedup": Dedup(),
    "pruning": Pruning(),
}

__all__ = [
    "OPQ",
    "PQ",
    "SVD",
    "TT",
    "VECTOR_METHODS",
    "Compressed",
    "Dedup",
    "Fidelity",
    "Integer",
    "MagnitudePQ",
    "MagnitudeSVD",
    "Pruning",
    "VectorMethod",
    "compress",
    "fidelity",
    "load",
]
