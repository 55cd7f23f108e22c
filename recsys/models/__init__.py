"""Models: tables and towers together. THE REGISTRIES: one line a model, rankers and retrievers."""

from recsys.models.dcn import DCN
from recsys.models.deepfm import DeepFM
from recsys.models.dlrm import DLRM
from recsys.models.finalmlp import FinalMLP
from recsys.models.ranker import Ranker, RankerSpec
from recsys.models.tower import Tower
from recsys.models.two_tower import TwoTower
from recsys.models.wide_deep import WideDeep

MODELS = {
    "dcn": DCN,
    "dlrm": DLRM,
    "deepfm": DeepFM,
    "wide_deep": WideDeep,
    "finalmlp": FinalMLP,
}
RETRIEVERS = {"two_tower": TwoTower}

__all__ = [
    "DCN",
    "DLRM",
    "MODELS",
    "RETRIEVERS",
    "DeepFM",
    "FinalMLP",
    "Ranker",
    "RankerSpec",
    "Tower",
    "TwoTower",
    "WideDeep",
]
