"""Baselines: what a two-tower model has to beat. THE REGISTRY: one line a model.

Each is a frozen spec whose `fit` takes who met what and returns a `Scorer`. Well tuned, they are
hard to beat (Anelli et al., 2022; Rendle et al., RecSys 2022), so they are here to be measured.
"""

from recsys.retrieval.baselines.ease import EASE
from recsys.retrieval.baselines.gfcf import GFCF
from recsys.retrieval.baselines.ials import IALS
from recsys.retrieval.baselines.item_knn import ItemKNN
from recsys.retrieval.baselines.popularity import ItemPop

BASELINES = {"item_pop": ItemPop, "item_knn": ItemKNN, "ease": EASE, "ials": IALS, "gfcf": GFCF}
