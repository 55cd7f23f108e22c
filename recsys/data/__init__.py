"""Where examples come from: raw files -> a store on disk -> shuffled batches."""

from recsys.data.loader import Shuffled

__all__ = ["Shuffled"]
