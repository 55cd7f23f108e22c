"""A run of two towers: a directory that answers by itself.

    runs/events/
    ├── spec.json            what was chosen, resolved: the towers, the recipe, the store
    ├── known.npz            who met what, what items are called, features of both
    └── step-00000120/ ...   checkpoints; a killed run goes on from the last

Who has met more since training is recommended by that as well: vectors of users are made of their
histories when they are asked for.
"""

import dataclasses
from pathlib import Path

import numpy as np
from flax import nnx
from jax.sharding import Mesh
from scipy.sparse import csr_array

from recsys.checkpoint import describe, restore
from recsys.data.interactions import Interactions
from recsys.data.store import Store
from recsys.metrics.ranking import ranking_metric
from recsys.retrieval.evaluation import METRICS, Evaluation, evaluate
from recsys.retrieval.examples import Sides, item_schema, user_schema
from recsys.retrieval.fitting import Fitted, fit
from recsys.retrieval.known import KNOWN, Known, known_of
from recsys.retrieval.neighbours import with_neighbours
from recsys.retrieval.settings import ITEM, USER, ResolvedTowers, TowerSettings, resolve_towers
from recsys.retrieval.side_rows import side_rows
from recsys.retrieval.user_batches import UserBatches
from recsys.retrieval.vectors import embed
from recsys.training.evaluation import served
from recsys.training.learner import Learner
from recsys.training.reopen import blueprint
from recsys.training.run_spec import begin, read_spec
from recsys.training.step import State


@dataclasses.dataclass(frozen=True, eq=False)
class TowerRun:
    """A run as its directory tells it."""

    path: Path
    resolved: ResolvedTowers
    known: Known
    state: State  # that is served: of the best epoch, averaged where training kept averages
    epoch: int
    valid: dict[str, float]  # metrics of that epoch on validation

    @property
    def sides(self) -> Sides:
        """Users and items, and what users liked by now."""
        return sides_of(self.resolved, self.known, liked=self.known.liked)

    @property
    def table_bytes(self) -> int:
        """Bytes of the tables as saved."""
        return nnx.eval_shape(lambda: self.resolved.model.build(rngs=nnx.Rngs(0))).embed.table_bytes


def train_towers(
    store: Store,
    directory: str | Path,
    settings: TowerSettings | None = None,
    *,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> Fitted:
    """Trains on a store, or goes on where a run of the same settings was stopped.

    The epoch is the one of the highest recall@20 on the split `valid`; where the store has none, a
    tenth of what each user liked in training is put aside for it.

    Raises:
        ValueError: the store does not tell who met what, examples cannot be drawn so, or the
            directory holds another run.
    """
    settings, path = settings or TowerSettings(), Path(directory)
    known = known_of(
        store, user_features=settings.user_features, item_features=settings.item_features
    )
    if not known.valid.nnz:
        part = Interactions(known.train, known.valid).validation(seed=settings.seed)
        known = dataclasses.replace(known, train=part.train, valid=part.test)
    if settings.neighbours:
        known = with_neighbours(known, settings.neighbours, space=ITEM)
    resolved = resolve_towers(settings, known)
    sides = sides_of(resolved, known, liked=known.train)
    batches = UserBatches(
        sides, size=resolved.batch, seed=resolved.seed, sampling=resolved.sampling
    )  # refuses what cannot be drawn before anything is written
    begin(path, store, settings, resolved)
    if not (path / KNOWN).exists():
        known.save(path / KNOWN)
    model = resolved.model
    return fit(
        Learner(lambda: model.build(rngs=nnx.Rngs(resolved.seed)), resolved.recipe, mesh),
        batches,
        epochs=resolved.epochs,
        every=resolved.every,
        patience=resolved.patience,
        valid=Interactions(known.train, known.valid) if known.valid.nnz else None,
        directory=path,
        progress=progress,
    )


def open_towers(directory: str | Path) -> TowerRun:
    """A run in a directory, with the state of its best epoch.

    Raises:
        FileNotFoundError: there is none, it has no checkpoint yet, or a file is missing.
        ValueError: it is of another task, or a file was edited.
    """
    path = Path(directory)
    resolved = read_spec(path).resolved
    if not isinstance(resolved, ResolvedTowers):
        raise ValueError(
            f"{path} holds a run that recommends nothing: train one with --task retrieval."
        )
    known = Known.load(path / KNOWN, user=resolved.user_schema, item=resolved.item_schema)
    latest = describe(path)
    best = latest.notes["best"] or latest.notes["epoch"]
    learner = Learner(lambda: resolved.model.build(rngs=nnx.Rngs(0)), resolved.recipe)
    step = latest.step // latest.notes["epoch"] * best
    restored = restore(path, blueprint(learner), step=step)
    measured = [metrics for metrics in latest.notes["history"] if metrics["epoch"] == best]
    return TowerRun(
        path=path,
        resolved=resolved,
        known=known,
        state=served(learner, restored.state),
        epoch=best,
        valid={name: value for name, value in measured[-1].items() if name != "epoch"}
        if measured
        else {},
    )


def judge(run: TowerRun, *, split: str = "test", metrics: tuple[str, ...] = METRICS) -> Evaluation:
    """The whole catalogue ranked for every user of a split, by what it liked before: in training,
    and for the test split in validation too.

    Raises:
        ValueError: there is no such split, or a metric is unknown.
    """
    known = run.known
    splits = {
        "valid": (known.train, known.valid),
        "test": (csr_array(known.train + known.valid), known.test),
    }
    if split not in splits or not splits[split][1].nnz:
        there = [name for name, (_, wanted) in splits.items() if wanted.nnz]
        raise ValueError(
            f"{run.path} has nothing to find in a split {split!r}: use one of {there}."
        )
    before, wanted = splits[split]
    sides = sides_of(run.resolved, known, liked=before)
    scorer = embed(run.resolved.model, run.state, sides)
    best = max(ranking_metric(name).k for name in metrics)
    return evaluate(scorer, Interactions(sides.train, wanted), metrics=metrics, best=max(best, 100))


def sides_of(resolved: ResolvedTowers, known: Known, *, liked: csr_array) -> Sides:
    """Users and items as the towers read them, with what users liked as their histories."""
    spec, own = resolved.model, user_schema(resolved.model)
    is_met = np.bincount(known.train.indices, minlength=len(known.items)) > 0
    items = side_rows(item_schema(spec), known.item_rows, ITEM, is_met)
    is_met = np.diff(known.train.indptr) > 0
    users = None if own is None else side_rows(own, known.user_rows, USER, is_met)
    return Sides.of(spec, liked, items, users)
