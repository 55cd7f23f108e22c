"""`recsys inspect`: what is inside a trained model."""

import dataclasses

import numpy as np

from recsys.cli.names import MaybeStore, RunPath
from recsys.cli.opening import mesh_of, split_of, store_of
from recsys.report import inspect, tables_of
from recsys.training.run import open_run


@dataclasses.dataclass(frozen=True)
class Inspect:
    """Prints a model's bytes, its collisions, and what each feature is worth to it."""

    run_directory: RunPath  # that `train` wrote
    store: MaybeStore = None  # by default the one it was trained on
    split: str = "valid"  # that gradients and the AUC without a feature are measured on
    examples: int = 200_000  # of the split, at most: evenly spaced ones
    devices: int = 1  # that share the tables and each batch
    verify: bool = True  # read the whole store first, to see that nobody edited it

    def run(self) -> int:
        """Looks and prints."""
        run = open_run(self.run_directory, mesh=mesh_of(self.devices))
        store = store_of(run, self.store, verify=self.verify)
        split, train = split_of(store, self.split), split_of(store, "train")
        count = min(self.examples, len(split))
        chosen = split.take(np.linspace(0, len(split) - 1, count).astype(np.int64))
        found = inspect(run.predictor, train=train, examples=chosen)
        print("\n\n".join(map(str, tables_of(found))))
        return 0
