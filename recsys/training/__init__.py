"""Training: the step (read `step.py` first), the learner, the recipe, the loop."""

from recsys.training.learner import Learner
from recsys.training.recipe import Recipe
from recsys.training.step import Report, State

__all__ = ["Learner", "Recipe", "Report", "State"]
