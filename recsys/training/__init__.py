"""Training: the step (read `step.py` first), the learner, the recipe, the loop."""

from recsys.training.evaluation import evaluate, predict
from recsys.training.learner import Learner
from recsys.training.loop import Fitted, fit
from recsys.training.recipe import Recipe
from recsys.training.reopen import reopen
from recsys.training.step import Report, State

__all__ = [
    "Fitted",
    "Learner",
    "Recipe",
    "Report",
    "State",
    "evaluate",
    "fit",
    "predict",
    "reopen",
]
