"""Retrieval over a whole catalogue: ranking, its measures, and the baselines to beat."""

from recsys.retrieval.baselines import BASELINES
from recsys.retrieval.evaluation import Evaluation, evaluate, measure
from recsys.retrieval.ranking import Ranking, Scorer, rank

__all__ = ["BASELINES", "Evaluation", "Ranking", "Scorer", "evaluate", "measure", "rank"]
