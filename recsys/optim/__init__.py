"""Optimizers: of touched rows (`rowwise.py`, `touched.py`) and of dense parameters (`dense.py`);
schedules of learning rates for both (`schedules.py`).
"""

from recsys.optim.dense import Adam, DenseAdagrad, DenseSGD
from recsys.optim.rowwise import ROW_OPTIMIZERS, SGD, Adagrad, LazyAdam, RowwiseAdagrad
from recsys.optim.schedules import SCHEDULES, Constant, Cosine, Drops, Linear, Schedule
from recsys.optim.touched import RowTraining

__all__ = [
    "ROW_OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adagrad",
    "Adam",
    "Constant",
    "Cosine",
    "DenseAdagrad",
    "DenseSGD",
    "Drops",
    "LazyAdam",
    "Linear",
    "RowTraining",
    "RowwiseAdagrad",
    "Schedule",
]
