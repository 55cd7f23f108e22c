"""Trains a small model with every kind of state, saving often: for tests that kill it.

python -m tests.system.train_toy DIRECTORY CACHE ASYNC_LIMIT_BYTES
"""

import sys
from pathlib import Path

import jax
from flax import nnx

from recsys.data import Shuffled
from recsys.embedding import Group, Grouped, Unified
from recsys.models import DCN
from recsys.optim import LazyAdam, RowTraining
from recsys.tables import CAFE, INT8, Hash
from recsys.training import Learner, Recipe
from recsys.training.loop import fit
from tests.toy import SCHEMA, clicks

STEPS = 300
EVERY = 4  # steps between checkpoints
LAYOUT = Grouped(
    (
        Group(("tags",), Unified(CAFE(rows=64, threshold=1.0), 4)),
        Group(("user", "item"), Unified(INT8(of=Hash(rows=100)), 4)),
    )
)
RECIPE = Recipe(rows=RowTraining(LazyAdam(1e-2), average=0.99), dropout=0.1)


def main(directory: Path, cache: Path, async_limit_bytes: int) -> None:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_compilation_cache_dir", str(cache))  # so that a restart costs little
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    model = DCN(SCHEMA, LAYOUT, hidden=(8,))
    fit(
        Learner(lambda: model.build(rngs=nnx.Rngs(0)), RECIPE),
        Shuffled(clicks(32 * 50), size=32),
        steps=STEPS,
        valid=clicks(500, seed=1),
        directory=directory,
        every=EVERY,
        async_limit_bytes=async_limit_bytes,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
