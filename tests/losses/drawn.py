"""Scores that the tests of retrieval losses share."""

import jax.numpy as jnp
import numpy as np

from recsys.losses import Scores

BATCH, TARGETS, CANDIDATES = 3, 2, 5


def scores(seed: int = 0) -> Scores:
    """Drawn scores; the last user has one target and one negative, the others more."""
    rng = np.random.default_rng(seed)
    is_negative = rng.random((BATCH, CANDIDATES)) < 0.7
    is_negative[-1] = np.arange(CANDIDATES) == 2
    return Scores(
        target=jnp.asarray(rng.normal(size=(BATCH, TARGETS)), jnp.float32),
        is_target=jnp.array([[True, True], [True, True], [True, False]]),
        candidate=jnp.asarray(rng.normal(size=(BATCH, CANDIDATES)), jnp.float32),
        is_negative=jnp.asarray(is_negative),
        log_count=jnp.asarray(rng.normal(size=CANDIDATES), jnp.float32),
        weight=jnp.array([1.0, 0.5, 2.0], jnp.float32),
    )
