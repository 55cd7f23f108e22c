"""One of the processes that train a small model together, each on its share of every batch.

python -m tests.system.share_batches INDEX COUNT PORT
"""

import hashlib
import json
import sys

import jax
import numpy as np
from flax import nnx

DEVICES = 2  # of all processes together
STEPS = 12


def main(index: int, count: int, port: int) -> None:
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", DEVICES // count)
    if count > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"localhost:{port}", count, index)

    from recsys.data import Shuffled
    from recsys.embedding import Unified
    from recsys.models import DCN
    from recsys.parallel.mesh import make_mesh
    from recsys.tables import Hash
    from recsys.training import Learner, Recipe, fit
    from tests.toy import SCHEMA, clicks

    model = DCN(SCHEMA, Unified(Hash(rows=300), 8), hidden=(16,))
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(0)), Recipe(), make_mesh())
    loader = Shuffled(clicks(1000), size=96)
    fitted = fit(learner, loader, steps=STEPS)
    learned = b"".join(
        np.asarray(array).tobytes() for array in jax.tree.leaves(fitted.state.params)
    )
    share = len(loader.batch(0))
    print(json.dumps({"share": share, "digest": hashlib.sha256(learned).hexdigest()}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
