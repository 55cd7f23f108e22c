"""A run: a directory with all that one training was told, went through and came to.

    runs/clicks/
    ├── spec.json            what was chosen, resolved: the model, the recipe, the store
    ├── vocabularies.npz     which value has which rank: the run predicts without its store
    ├── step-00001200/ ...   checkpoints
    ├── metrics.jsonl        the log; the same numbers for TensorBoard beside it
    └── report.html          what `recsys.report` makes of it

A run that was killed goes on to the same end when it is trained again with the same settings.
"""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from recsys.checkpoint import describe, restore
from recsys.data.blocks import Blocks
from recsys.data.loader import Loader, Shuffled
from recsys.data.record import WORD
from recsys.data.store import Store, StoredExamples
from recsys.parallel.mesh import make_mesh
from recsys.training.learner import Learner
from recsys.training.loop import Fitted, fit
from recsys.training.memory import memory_bytes
from recsys.training.predictor import Predictor
from recsys.training.reopen import blueprint
from recsys.training.resolving import Resolved, resolve
from recsys.training.run_spec import VOCABULARIES, begin, read_spec
from recsys.training.settings import Settings
from recsys.training.vocabularies import load_vocabularies

PROBED = 2**17  # labels of a split that are looked at before time is spent on training


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """A run as its directory tells it."""

    path: Path
    resolved: Resolved
    store: Path  # that it was trained on
    store_digest: str  # of its content
    predictor: Predictor
    step: int  # of the state that predicts: the best epoch's, where there was validation
    valid: dict[str, float]  # metrics of that state on validation


def train_run(
    store: Store,
    directory: str | Path,
    settings: Settings | None = None,
    *,
    mesh: Mesh | None = None,
    every: int | None = None,
    log_every: int = 1,
) -> Fitted:
    """Trains on a store, or goes on where a run of the same settings was stopped.

    Args:
        store: with a split `train`; its split `valid`, if it has one, chooses the epoch.
        directory: of the run; new, or that of such a run.
        settings: what to train, and how.
        mesh: the devices; the first alone by default.
        every: steps between checkpoints, beside that of each epoch.
        log_every: steps between lines of the log.

    Raises:
        ValueError: the directory holds another run, or the store nothing to learn from.
        OSError: the disk is full; the checkpoints until then are whole.
    """
    settings = settings or Settings()
    train, valid = store.splits["train"], store.splits.get("valid")
    _check_labels(store, train, "train")
    if valid is not None:
        _check_labels(store, valid, "valid")
    resolved = resolve(settings, store.schema, len(train), order=_order(train))
    begin(Path(directory), store, settings, resolved)
    model = resolved.model
    learner = Learner(lambda: model.build(rngs=nnx.Rngs(resolved.seed)), resolved.recipe, mesh)
    return fit(
        learner,
        _loader(resolved, train),
        epochs=resolved.epochs,
        patience=resolved.patience,
        valid=valid,
        directory=directory,
        every=every,
        log_every=log_every,
    )


def open_run(directory: str | Path, *, mesh: Mesh | None = None, step: int | None = None) -> Run:
    """A run in a directory, with the state of its best epoch, or of a step.

    Raises:
        FileNotFoundError: there is none, it has no checkpoint yet, or a file is missing.
        ValueError: a file was edited, or its checkpoint is of another model.
    """
    path = Path(directory)
    told = read_spec(path)
    if not isinstance(told.resolved, Resolved):
        raise ValueError(
            f"{path} holds a run of another task than clicks: ask it with `recsys recommend`."
        )
    best = describe(path).notes.get("best")
    if step is None and best is not None:
        step = best["step"]
    found = describe(path, step)
    resolved, mesh = told.resolved, mesh or make_mesh(jax.devices()[:1])
    learner = Learner(lambda: resolved.model.build(rngs=nnx.Rngs(0)), resolved.recipe, mesh)
    wanted = {**found.spec, "model": resolved.model, "recipe": resolved.recipe}
    state = restore(path, blueprint(learner), spec=wanted, step=found.step).state
    predictor = Predictor(
        resolved.model,
        state,
        load_vocabularies(path / VOCABULARIES),
        recipe=resolved.recipe,
        mesh=mesh,
    )
    return Run(
        path=path,
        resolved=resolved,
        store=told.store,
        store_digest=told.store_digest,
        predictor=predictor,
        step=found.step,
        valid=best["metrics"] if best is not None and best["step"] == found.step else {},
    )


def _loader(resolved: Resolved, train: StoredExamples) -> Loader:
    kind = Blocks if resolved.order == "blocks" else Shuffled
    return kind(train, size=resolved.batch, seed=resolved.seed)


def _order(train: StoredExamples) -> str:
    """Shuffled where the examples fit into half the memory, and so into the page cache."""
    data_bytes = len(train) * train.record.width * WORD.itemsize
    return "shuffled" if 2 * data_bytes <= memory_bytes() else "blocks"


def _check_labels(store: Store, split: StoredExamples, name: str) -> None:
    """Refuses labels that a click model has no use for."""
    if store.schema.label is None:
        raise ValueError(
            f"A click model wants a label, and {store.path} has none: train with --task retrieval, "
            "or import again with a schema that says label='COLUMN'."
        )
    labels = np.asarray(split.take(slice(0, PROBED)).label)
    odd = labels[(labels != 0) & (labels != 1)]
    if len(odd):
        raise ValueError(
            f"A click model learns labels 0 and 1, and the {name} split of {store.path} has "
            f"{odd[0]:g}: say in the schema which labels are positive, and import again."
        )
    if len(split) <= PROBED and len(np.unique(labels)) < 2:
        raise ValueError(
            f"A click model needs clicks and non-clicks, and the {name} split of {store.path} has "
            f"{len(split)} examples of one class: import more rows, or give it a larger share."
        )
