"""Retrieval over a whole catalogue: ranking, its measures, two towers trained on who met what, and
the baselines to beat.

    part = data.validation()
    sides = Sides.of(spec, part.train)  # spec: a recsys.models.TwoTower
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(0)), Recipe())
    fitted = fit(learner, UserBatches(sides, size=256), epochs=30, valid=part)
    print(evaluate(embed(spec, fitted.state, Sides.of(spec, data.train)), data).metrics)
"""

from recsys.retrieval.baselines import BASELINES
from recsys.retrieval.evaluation import Evaluation, evaluate, measure
from recsys.retrieval.examples import Sides
from recsys.retrieval.fitting import fit
from recsys.retrieval.ranking import Ranking, Scorer, rank
from recsys.retrieval.streaming_counts import StreamingCounts
from recsys.retrieval.user_batches import Sampling, UserBatches
from recsys.retrieval.vectors import TowerVectors, embed

__all__ = [
    "BASELINES",
    "Evaluation",
    "Ranking",
    "Sampling",
    "Scorer",
    "Sides",
    "StreamingCounts",
    "TowerVectors",
    "UserBatches",
    "embed",
    "evaluate",
    "fit",
    "measure",
    "rank",
]
