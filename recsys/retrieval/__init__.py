"""Retrieval over a whole catalogue: ranking, its measures, and the baselines to beat."""

from recsys.retrieval.baselines import BASELINES
from recsys.retrieval.evaluation import evaluate
from recsys.retrieval.ranking import Ranking, Scorer, rank

__all__ = ["BASELINES", "Ranking", "Scorer", "evaluate", "rank"]
