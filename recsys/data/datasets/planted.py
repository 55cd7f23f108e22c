"""A planted click log: its labels are drawn from known probabilities, so the best AUC is known.

Eight fields of values v_f drawn by Zipf's law, P(rank r) proportional to r ** -EXPONENT, and

    logit = BIAS + sum_f a_f[v_f] + sum_{f<g} <b_f[v_f], b_g[v_g]>,   label ~ Bernoulli(sigmoid)

with a ~ N(0, VALUE_SPREAD^2) and b ~ N(0, PAIR_SPREAD^2) in PAIR_RANK dimensions. Effects do not
depend on the rank: a rare value matters as much as a frequent one, which is what compression by
frequency must not rely on. The values' names are scrambled, so nothing can be read off them.

Ranking by the true probabilities has an AUC of 0.8692 on the log of ROWS rows from SEED: no model
does better, but for luck. What the full table and plain hashing reach is measured by
`python -m experiments.compression.sweep --data planted`.

Draws are of `numpy.random.RandomState`, whose streams NumPy keeps as they are.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from recsys.data.datasets.movielens_100k import split
from recsys.features import Feature, Schema

__all__ = ["SCHEMA", "Planted", "generate", "split"]

Columns = dict[str, Shaped[np.ndarray, "rows"]]

SEED = 20_240_101
VALUES = (2_000, 2_000, 1_000, 1_000, 250, 250, 100, 20)  # of each field
EXPONENT = 1.0
BIAS = -1.0
VALUE_SPREAD = 0.7
PAIR_SPREAD = 0.2
PAIR_RANK = 4
ROWS = 400_000
SCHEMA = Schema(tuple(Feature(f"field_{number}") for number in range(len(VALUES))))


class Planted(NamedTuple):
    """A log and the truth behind it."""

    columns: Columns  # a column a field, and `label`
    probability: Float64[np.ndarray, "rows"]  # of label 1


def generate(rows: int = ROWS, *, seed: int = SEED) -> Planted:
    """Draw a log of so many rows."""
    draw = np.random.RandomState(seed)
    ranks = [_ranks(draw, values, rows) for values in VALUES]
    logit = np.full(rows, BIAS)
    total, squares = np.zeros((rows, PAIR_RANK)), np.zeros(rows)
    for values, rank in zip(VALUES, ranks, strict=True):
        logit += draw.normal(0, VALUE_SPREAD, values)[rank]
        vector = draw.normal(0, PAIR_SPREAD, (values, PAIR_RANK))[rank]
        total += vector
        squares += (vector**2).sum(axis=1)
    logit += ((total**2).sum(axis=1) - squares) / 2  # the sum over pairs (Rendle, ICDM 2010)
    probability = 1 / (1 + np.exp(-logit))
    label = (draw.random_sample(rows) < probability).astype(np.float32)
    names = [draw.permutation(values)[rank] for values, rank in zip(VALUES, ranks, strict=True)]
    columns = {feature.name: name for feature, name in zip(SCHEMA.features, names, strict=True)}
    return Planted({**columns, "label": label}, probability)


def _ranks(draw: np.random.RandomState, values: int, rows: int) -> Int64[np.ndarray, "rows"]:
    """Ranks by Zipf's law over a finite vocabulary, by inversion."""
    mass = np.cumsum(np.arange(1, values + 1) ** -EXPONENT)
    return np.searchsorted(mass, draw.random_sample(rows) * mass[-1], side="right")
