"""Many features, few tables."""

from recsys.embedding.layout import Group, Grouped, Layout, PerFeature, Unified
from recsys.embedding.multiplexer import Embedding, Vectors

__all__ = ["Embedding", "Group", "Grouped", "Layout", "PerFeature", "Unified", "Vectors"]
