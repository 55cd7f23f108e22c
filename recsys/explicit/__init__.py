"""Explicit spaces: vectors whose entries have names, and scores that are sums of their shares."""

from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.inventory import Inventory

__all__ = ["Documents", "Inventory", "Relevance"]
