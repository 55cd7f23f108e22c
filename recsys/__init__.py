"""recsys: feature embeddings for recommenders, in JAX and Flax.

A name is imported when it is first asked for, so that a program which needs one layer, as a server
does, loads no other.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys.data import Shuffled
    from recsys.embedding import Embedding, Group, Grouped, PerFeature, Unified
    from recsys.features import Batch, Feature, Schema
    from recsys.models import DCN
    from recsys.optim import Adam, LazyAdam, RowTraining, RowwiseAdagrad
    from recsys.parallel.mesh import make_mesh
    from recsys.tables import (
        ALPT,
        BF16,
        CAFE,
        CCE,
        DHE,
        DPQ,
        FP16,
        INT4,
        INT8,
        INT16,
        MDE,
        MGQE,
        QR,
        ROBE,
        AdaptEmb,
        Frequency,
        Full,
        Hash,
        HotCold,
        MEmCom,
        MultiHash,
        TTRec,
    )
    from recsys.training import Learner, Recipe, evaluate, reopen
    from recsys.training.frames import fit

__all__ = [
    "ALPT",
    "BF16",
    "CAFE",
    "CCE",
    "DCN",
    "DHE",
    "DPQ",
    "FP16",
    "INT4",
    "INT8",
    "INT16",
    "MDE",
    "MGQE",
    "QR",
    "ROBE",
    "Adam",
    "AdaptEmb",
    "Batch",
    "Embedding",
    "Feature",
    "Frequency",
    "Full",
    "Group",
    "Grouped",
    "Hash",
    "HotCold",
    "LazyAdam",
    "Learner",
    "MEmCom",
    "MultiHash",
    "PerFeature",
    "Recipe",
    "RowTraining",
    "RowwiseAdagrad",
    "Schema",
    "Shuffled",
    "TTRec",
    "Unified",
    "evaluate",
    "fit",
    "make_mesh",
    "reopen",
]

_NAMES = {
    "data": ("Shuffled",),
    "embedding": ("Embedding", "Group", "Grouped", "PerFeature", "Unified"),
    "features": ("Batch", "Feature", "Schema"),
    "models": ("DCN",),
    "optim": ("Adam", "LazyAdam", "RowTraining", "RowwiseAdagrad"),
    "parallel.mesh": ("make_mesh",),
    "tables": (
        "ALPT",
        "BF16",
        "CAFE",
        "CCE",
        "DHE",
        "DPQ",
        "FP16",
        "INT4",
        "INT8",
        "INT16",
        "MDE",
        "MGQE",
        "QR",
        "ROBE",
        "AdaptEmb",
        "Frequency",
        "Full",
        "Hash",
        "HotCold",
        "MEmCom",
        "MultiHash",
        "TTRec",
    ),
    "training": ("Learner", "Recipe", "evaluate", "reopen"),
    "training.frames": ("fit",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A name of `__all__`, from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"recsys has no {name!r}: it has {', '.join(__all__)}.")
    return getattr(import_module(f"recsys.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What completion shows."""
    return sorted({*globals(), *__all__})
