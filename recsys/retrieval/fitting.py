"""Training two towers on interactions: recall on validation chooses the epoch.

    part = data.validation()
    batches = UserBatches(Sides.of(spec, part.train), size=256)
    fitted = fit(learner, batches, epochs=50, valid=part)

Run the same line again after a kill, and it goes on from the last evaluated epoch.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax
from tqdm import tqdm

from recsys.checkpoint import Saver, latest, restore
from recsys.data.interactions import Interactions
from recsys.data.stream import stream
from recsys.parallel.placement import settled
from recsys.retrieval.evaluation import evaluate
from recsys.retrieval.user_batches import UserBatches
from recsys.retrieval.vectors import TowerVectors, embed
from recsys.training.evaluation import served
from recsys.training.learner import Learner
from recsys.training.reopen import blueprint
from recsys.training.step import State

MEASURED = ("recall@20", "ndcg@20")


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What training came to."""

    state: State  # of the best epoch, where there is a validation split; else the last
    epoch: int  # of that state, counted from 1
    valid: dict[str, float]  # metrics of that state on validation
    history: tuple[dict[str, float], ...]  # metrics of every evaluation


def fit(
    learner: Learner,
    batches: UserBatches,
    *,
    epochs: int,
    valid: Interactions | None = None,
    every: int = 5,
    patience: int | None = None,
    directory: str | Path | None = None,
    progress: bool = True,
) -> Fitted:
    """Trains for some epochs; the one of the highest recall@20 on validation comes back.

    Args:
        valid: what is evaluated; its train is what the batches are of.
        every: epochs between evaluations, after which hard negatives are mined anew.
        patience: evaluations without a better recall after which training stops.
        directory: of a checkpoint after each evaluation; None writes none.
        progress: shows a bar on a terminal.

    Raises:
        ValueError: epochs or every is below 1, the batches are of another train than `valid`, or
            the directory holds another run.
    """
    if min(epochs, every) < 1:
        raise ValueError(
            f"fit() wants epochs and every of at least 1, got epochs={epochs} and every={every}."
        )
    if valid is not None and valid.train.nnz != batches.sides.train.nnz:
        raise ValueError(
            f"Validation wants towers that saw its train alone, of {valid.train.nnz:,} pairs, got "
            f"batches of {batches.sides.train.nnz:,}: make them of Sides.of(spec, valid.train)."
        )
    run = _Run(learner, batches, valid, None if directory is None else Path(directory))
    run.start()
    bar = tqdm(
        total=epochs,
        initial=run.epoch,
        unit=" epochs",
        file=sys.stderr,
        disable=None if progress else True,
    )
    try:
        while run.epoch < epochs and not (patience and run.stale >= patience):
            run.train()
            bar.update()
            if run.epoch % every == 0 or run.epoch == epochs:
                run.evaluate()
                bar.set_postfix(run.history[-1])
                run.save()
    finally:
        run.close()
        bar.close()
    return run.fitted()


class _Run:
    """A training run on its way."""

    def __init__(
        self,
        learner: Learner,
        batches: UserBatches,
        valid: Interactions | None,
        directory: Path | None,
    ):
        self.learner, self.batches, self.valid, self.directory = learner, batches, valid, directory
        self.saver = Saver(directory, keep=1) if directory else None
        self.state: Any = None
        self.epoch, self.stale = 0, 0
        self.best: int | None = None  # epoch
        self.history: list[dict[str, float]] = []
        self.kept: Any = None

    def start(self) -> None:
        found = self.directory and latest(self.directory)
        if not found or self.directory is None:
            self.state = self.learner.start()
            self.batches.nearest = None
            return
        like = blueprint(self.learner)
        restored = restore(self.directory, like, spec=self._spec(), step=found)
        notes = restored.checkpoint.notes
        self.state, self.epoch = settled(restored.state), notes["epoch"]
        self.best, self.stale, self.history = notes["best"], notes["stale"], notes["history"]
        self.mine(self.vectors())

    def train(self) -> None:
        start, stop = self._step(self.epoch), self._step(self.epoch + 1)
        batches = stream(self.batches, start=start, stop=stop, put=self.learner.put)
        try:
            for _ in range(start, stop):
                self.state, _ = self.learner.step(self.state, next(batches))
        finally:
            batches.close()
        self.epoch += 1

    def vectors(self) -> TowerVectors:
        """Of the state that one would serve."""
        sides = self.batches.sides
        return embed(sides.spec, served(self.learner, self.state), sides)

    def mine(self, vectors: TowerVectors) -> None:
        """Hard negatives anew, where they are wanted."""
        if self.batches.sampling.hard:
            self.batches.mine(vectors)

    def evaluate(self) -> None:
        scorer = self.vectors()
        self.mine(scorer)
        if self.valid is None:
            self.history.append({"epoch": float(self.epoch)})
            self.best = self.epoch
            return
        found = evaluate(scorer, self.valid, metrics=MEASURED, best=20, progress=False).metrics
        self.history.append({"epoch": float(self.epoch)} | {name: found[name] for name in MEASURED})
        before = [h["recall@20"] for h in self.history[:-1]]
        if before and found["recall@20"] <= max(before):
            self.stale += 1
            return
        self.best, self.stale = self.epoch, 0
        if self.directory is None:
            self.kept = jax.device_get(self.state)

    def save(self) -> None:
        if self.saver is None:
            return
        notes = {
            "epoch": self.epoch,
            "best": self.best,
            "stale": self.stale,
            "history": self.history,
        }
        keep = [] if self.best is None else [self._step(self.best)]
        self.saver.save(
            self._step(self.epoch), self.state, spec=self._spec(), notes=notes, also_keep=keep
        )

    def close(self) -> None:
        if self.saver is not None:
            self.saver.close()

    def fitted(self) -> Fitted:
        state, epoch = self.state, self.epoch
        if self.best is not None and self.best != self.epoch:
            epoch = self.best
            if self.directory is not None:
                like = blueprint(self.learner)
                state = restore(self.directory, like, step=self._step(epoch)).state
            else:
                state = jax.device_put(self.kept, self.learner.layout)
        measured = [h for h in self.history if h["epoch"] == epoch]
        valid = {name: measured[-1][name] for name in MEASURED} if measured and self.valid else {}
        return Fitted(state, epoch, valid, tuple(self.history))

    def _step(self, epoch: int) -> int:
        return epoch * self.batches.steps_per_epoch

    def _spec(self) -> dict[str, Any]:
        return {
            "model": self.batches.sides.spec,
            "recipe": self.learner.recipe,
            "data": self.batches.order,
        }
