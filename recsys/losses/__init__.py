"""Losses: frozen dataclasses over arrays; they know nothing of tables. THE REGISTRIES: one line a
loss.
"""

from recsys.losses.cosine_contrastive import CosineContrastive
from recsys.losses.gbce import GBCE
from recsys.losses.log_loss import LogLoss
from recsys.losses.pairs import BPR, Hinge
from recsys.losses.retrieval import RetrievalLoss, Scores
from recsys.losses.softmax import Softmax

LOSSES = {"log_loss": LogLoss}
RETRIEVAL_LOSSES = {
    "softmax": Softmax,
    "cosine_contrastive": CosineContrastive,
    "bpr": BPR,
    "gbce": GBCE,
    "hinge": Hinge,
}

__all__ = [
    "BPR",
    "GBCE",
    "LOSSES",
    "RETRIEVAL_LOSSES",
    "CosineContrastive",
    "Hinge",
    "LogLoss",
    "RetrievalLoss",
    "Scores",
    "Softmax",
]
