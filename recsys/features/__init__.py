"""What an example is: raw rows -> features -> keys."""

from recsys.features.batch import Batch
from recsys.features.hashing import (
    MISSING,
    Words,
    bucket,
    combine,
    fingerprint,
    join,
    philox,
    salt,
    split,
    uniform,
)
from recsys.features.schema import Feature, Schema
from recsys.features.vocabulary import Vocabulary

__all__ = [
    "MISSING",
    "Batch",
    "Feature",
    "Schema",
    "Vocabulary",
    "Words",
    "bucket",
    "combine",
    "fingerprint",
    "join",
    "philox",
    "salt",
    "split",
    "uniform",
]
