"""Losses: frozen dataclasses over arrays; they know nothing of tables. THE REGISTRIES: one line a
loss.
"""

from recsys.losses.cosine_contrastive import CosineContrastive
from recsys.losses.gbce import GBCE
from recsys.losses.known import KnownLoss, KnownSoftmax, PositiveUnlabelled
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
KNOWN_LOSSES = {"softmax": KnownSoftmax, "positive_unlabelled": PositiveUnlabelled}

__all__ = [
    "BPR",
    "GBCE",
    "KNOWN_LOSSES",
    "LOSSES",
    "RETRIEVAL_LOSSES",
    "CosineContrastive",
    "Hinge",
    "KnownLoss",
    "KnownSoftmax",
    "LogLoss",
    "PositiveUnlabelled",
    "RetrievalLoss",
    "Scores",
    "Softmax",
]
