"""Towers: vectors to one vector."""

from recsys.towers.cross import Cross
from recsys.towers.mlp import MLP

__all__ = ["MLP", "Cross"]
