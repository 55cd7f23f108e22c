"""recsys: feature embeddings for recommenders, in JAX and Flax."""

from recsys.data import Shuffled
from recsys.embedding import Embedding, Group, Grouped, PerFeature, Unified
from recsys.features import Batch, Feature, Schema
from recsys.models import DCN
from recsys.optim import Adam, LazyAdam, RowTraining, RowwiseAdagrad
from recsys.parallel.mesh import make_mesh
from recsys.tables import ALPT, CAFE, DPQ, INT8, MDE, Full, Hash
from recsys.training import Learner, Recipe, evaluate, fit, reopen

__all__ = [
    "ALPT",
    "CAFE",
    "DCN",
    "DPQ",
    "INT8",
    "MDE",
    "Adam",
    "Batch",
    "Embedding",
    "Feature",
    "Full",
    "Group",
    "Grouped",
    "Hash",
    "LazyAdam",
    "Learner",
    "PerFeature",
    "Recipe",
    "RowTraining",
    "RowwiseAdagrad",
    "Schema",
    "Shuffled",
    "Unified",
    "evaluate",
    "fit",
    "make_mesh",
    "reopen",
]
