"""Optimizers: of touched rows (`rowwise.py`, `touched.py`) and of dense parameters (`dense.py`)."""

from recsys.optim.dense import Adam, DenseAdagrad, DenseSGD
from recsys.optim.rowwise import ROW_OPTIMIZERS, SGD, Adagrad, LazyAdam, RowwiseAdagrad
from recsys.optim.touched import RowTraining

__all__ = [
    "ROW_OPTIMIZERS",
    "SGD",
    "Adagrad",
    "Adam",
    "DenseAdagrad",
    "DenseSGD",
    "LazyAdam",
    "RowTraining",
    "RowwiseAdagrad",
]
