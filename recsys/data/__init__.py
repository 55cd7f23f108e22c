"""Where examples come from: raw files -> a store on disk -> shuffled batches."""

from recsys.data.blocks import Blocks
from recsys.data.in_order import InOrder
from recsys.data.loader import Loader, Shuffled
from recsys.data.stream import batches, stream

__all__ = ["Blocks", "InOrder", "Loader", "Shuffled", "batches", "stream"]
