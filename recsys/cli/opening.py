"""What several commands open: devices, stores, and the store of a run."""

from pathlib import Path

import jax
from jax.sharding import Mesh

from recsys.data.store import Store, StoredExamples
from recsys.parallel.mesh import make_mesh
from recsys.training.run import Run
from recsys.training.run_spec import refuse_other_store


def mesh_of(devices: int) -> Mesh:
    """The first devices of the machine.

    Raises:
        ValueError: there are fewer.
    """
    there = jax.devices()
    if not 1 <= devices <= len(there):
        raise ValueError(f"This machine has {len(there)} devices, got {devices}: use 1 or more.")
    return make_mesh(there[:devices])


def open_store(path: Path, *, verify: bool) -> Store:
    """A store, every byte of it checked if wanted."""
    store = Store.open(path)
    if verify:
        store.verify()
    return store


def store_of(run: Run, given: Path | None, *, verify: bool) -> Store:
    """The store that a run was trained on, or another whose rows mean the same.

    Raises:
        FileNotFoundError: the run's own store is gone.
        ValueError: the other one has another schema, or a file was edited.
    """
    if given is None and not run.store.exists():
        raise FileNotFoundError(
            f"{run.path} was trained on {run.store}, which is no longer there: say where it is, or "
            "give raw files."
        )
    store = open_store(given or run.store, verify=verify)
    schema, vocabularies = run.predictor.schema, run.predictor.vocabularies
    refuse_other_store(run.path, schema, vocabularies, store)
    return store


def split_of(store: Store, name: str) -> StoredExamples:
    """A split of a store; an unknown name lists the known ones."""
    if name not in store.splits:
        known = ", ".join(store.splits)
        raise ValueError(f"{store.path} has no split {name!r}: known are {known}.")
    return store.splits[name]
