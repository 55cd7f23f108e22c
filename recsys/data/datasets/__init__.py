"""Data sets by name: one line each. A loader takes the folder of its files and returns columns."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recsys.data.datasets import movielens_100k

DATASETS: dict[str, Callable[[Path], dict[str, np.ndarray]]] = {"ml-100k": movielens_100k.load}

__all__ = ["DATASETS", "movielens_100k"]
