"""Models: tables and towers together. THE REGISTRY: one line a model."""

from recsys.models.dcn import DCN
from recsys.models.deepfm import DeepFM
from recsys.models.dlrm import DLRM
from recsys.models.finalmlp import FinalMLP
from recsys.models.ranker import Ranker, RankerSpec
from recsys.models.wide_deep import WideDeep

MODELS = {
    "dcn": DCN,
    "dlrm": DLRM,
    "deepfm": DeepFM,
    "wide_deep": WideDeep,
    "finalmlp": FinalMLP,
}

__all__ = [
    "DCN",
    "DLRM",
    "MODELS",
    "DeepFM",
    "FinalMLP",
    "Ranker",
    "RankerSpec",
    "WideDeep",
]
