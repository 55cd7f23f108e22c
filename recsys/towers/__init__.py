"""Towers: vectors to one vector, or to a number."""

from recsys.towers.common_width import CommonWidth, NumberVectors
from recsys.towers.cross import Cross
from recsys.towers.fusion import BilinearFusion
from recsys.towers.gate import FeatureGate
from recsys.towers.mlp import MLP
from recsys.towers.products import pairwise_dots, sum_of_products

__all__ = [
    "MLP",
    "BilinearFusion",
    "CommonWidth",
    "Cross",
    "FeatureGate",
    "NumberVectors",
    "pairwise_dots",
    "sum_of_products",
]
