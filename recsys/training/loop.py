"""A plain training loop: progress, validation, checkpoints, resuming, a clean stop.

    learner = Learner(lambda: DCN(schema, layout).build(rngs=nnx.Rngs(0)), Recipe())
    fitted = fit(learner, Shuffled(train, size=1024), epochs=10, valid=valid, directory="runs/a")

The order of the data is a function of (seed, step), so a checkpoint needs no state of the loader:
run the same line again after a kill, and it goes on to the same end. Batches are read ahead and
brought to the devices by other threads (`recsys.data.stream`).
"""

import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax

from recsys.checkpoint import ASYNC_LIMIT_BYTES, Saver, latest, restore
from recsys.data.examples import Examples
from recsys.data.loader import Loader
from recsys.data.stream import stream
from recsys.parallel.placement import settled
from recsys.training.evaluation import evaluate
from recsys.training.learner import Learner
from recsys.training.log import MetricsLog
from recsys.training.progress import Progress
from recsys.training.reopen import blueprint
from recsys.training.step import State

LOG = "metrics.jsonl"


@dataclasses.dataclass(frozen=True)
class Fitted:
    """What training came to."""

    state: State  # of the best epoch, where there is a validation split; else the last
    step: int  # of that state
    last_step: int  # how far training came
    valid: dict[str, float]  # metrics of that state on validation
    examples_per_s: float  # in training alone: without compiling, evaluating and saving
    is_stopped: bool  # by SIGTERM; the same call goes on from there
    is_capped: bool = False  # by `most_seconds`


def fit(
    learner: Learner,
    loader: Loader,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    valid: Examples | None = None,
    patience: int | None = None,
    most_seconds: float | None = None,
    directory: str | Path | None = None,
    every: int | None = None,
    keep: int = 3,
    async_limit_bytes: int = ASYNC_LIMIT_BYTES,
    log_every: int = 1,
) -> Fitted:
    """Trains for some epochs or steps; goes on from the latest checkpoint in `directory`.

    Args:
        valid: is evaluated after each epoch; the epoch of the highest AUC is what comes back.
        patience: epochs without a better AUC after which training stops; None never stops early.
        most_seconds: after which training stops, with the best epoch so far; None is no cap.
        directory: of checkpoints and of the log, `metrics.jsonl`; None writes nothing.
        every: steps between checkpoints, beside that of each epoch.
        keep: how many checkpoints stay; that of the best epoch always does.
        async_limit_bytes: the largest state that may be copied, to be saved in the background.
        log_every: steps between lines of the log.

    Raises:
        ValueError: not just one of epochs and steps is given, or the directory holds the
            checkpoint of another spec.
    """
    if (epochs is None) == (steps is None) or (epochs or steps or 0) < 1:
        raise ValueError(
            f"fit() wants either epochs or steps, at least 1, got epochs={epochs} and "
            f"steps={steps}: give one of them."
        )
    total = steps or (epochs or 0) * loader.steps_per_epoch
    run = _Run(learner, loader, valid, None if directory is None else Path(directory))
    ends = float("inf") if most_seconds is None else time.monotonic() + most_seconds
    is_capped = False
    with run.opened(total, keep, async_limit_bytes, log_every), _sigterm() as is_stopped:
        while run.step < total and not is_stopped() and not run.is_stale(patience):
            if is_capped := run.step > 0 and time.monotonic() > ends:
                if run.best is None:
                    run.evaluate()
                break
            run.train()
            is_epoch = run.step in (total, run.epoch * loader.steps_per_epoch)
            if is_epoch:
                run.evaluate()
            if is_epoch or (every and run.step % every == 0):
                run.save()
        run.save()
        return run.fitted(is_stopped=is_stopped(), is_capped=is_capped)


class _Run:
    """What moves while training runs: the state, the step, the best epoch so far."""

    def __init__(
        self, learner: Learner, loader: Loader, valid: Examples | None, directory: Path | None
    ):
        self.learner, self.loader, self.valid, self.directory = learner, loader, valid, directory
        self.step, self.saved = 0, -1  # steps done, and those that the last checkpoint knows
        self.best: dict[str, Any] | None = None  # step and metrics of the best epoch
        self.stale = 0  # epochs since
        self.kept: State | None = None  # the best state, on the host, where there is no directory
        self.log: MetricsLog | None = None
        self.saver: Saver | None = None

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.step // self.loader.steps_per_epoch

    @contextmanager
    def opened(
        self, total: int, keep: int, async_limit_bytes: int, log_every: int
    ) -> Iterator[None]:
        """Starts or resumes; when done, all files are complete, whatever happened."""
        found = self.directory and latest(self.directory)
        if self.directory is None or found is None:
            self.state = self.learner.start()
        else:
            self._restore(found)
        if self.directory is not None:
            self.spec = self._spec()
            self.log = MetricsLog(self.directory / LOG, step=self.step)
            self.saver = Saver(self.directory, keep=keep, async_limit_bytes=async_limit_bytes)
        self.progress = Progress(
            self.learner,
            self.loader,
            start=self.step,
            total=total,
            log=self.log,
            log_every=log_every,
        )
        self.batches = stream(self.loader, start=self.step, stop=total, put=self.learner.put)
        if self.step:
            self.progress.say(f"goes on from step {self.step:,} in {self.directory}")
        opened = (self.saver, self.log, self.progress, self.batches)
        with ExitStack() as stack:
            for each in filter(None, opened):
                stack.callback(each.close)
            yield

    def train(self) -> None:
        """One step."""
        self.state, report = self.learner.step(self.state, next(self.batches))
        self.step += 1
        self.progress.add(self.step, report)

    def evaluate(self) -> None:
        """Metrics on validation; takes note of the best."""
        self.progress.settle()
        told = f"epoch {self.epoch}, step {self.step:,}: loss {self.progress.loss:.4f}"
        if self.valid is not None:
            metrics = evaluate(self.learner, self.state, self.valid)
            if self.log:
                self.log.write(self.step, valid=metrics)
            self._compare(metrics)
            told += "".join(f", {name} {value:.4f}" for name, value in metrics.items())
        self.progress.say(f"{told}, {self.progress.examples_per_s:,.0f} examples/s")

    def save(self) -> None:
        """A checkpoint, after all that it relies on is on disk; none where there is one already."""
        if not self.saver or not self.log or self.step == self.saved:
            return
        self.progress.settle()
        self.log.flush(to_disk=True)
        notes, self.saved = {"best": self.best, "stale": self.stale}, self.step
        best = [self.best["step"]] if self.best else []
        self.saver.save(self.step, self.state, spec=self.spec, notes=notes, also_keep=best)

    def is_stale(self, patience: int | None) -> bool:
        """Whether the best epoch lies too far back."""
        return patience is not None and self.stale >= patience

    def fitted(self, *, is_stopped: bool, is_capped: bool) -> Fitted:
        """The best state, from wherever it was kept."""
        state, step = self.state, self.step
        if self.best and self.best["step"] != self.step and not is_stopped:
            step = self.best["step"]
            if self.saver and self.directory is not None:
                self.saver.wait()
                state = restore(self.directory, blueprint(self.learner), step=step).state
            elif self.kept is not None:
                state = jax.device_put(self.kept, self.learner.layout)
        is_best = self.best is not None and self.best["step"] == step
        return Fitted(
            state=state,
            step=step,
            last_step=self.step,
            valid=self.best["metrics"] if self.best and is_best else {},
            examples_per_s=self.progress.examples_per_s,
            is_stopped=is_stopped,
            is_capped=is_capped,
        )

    def _compare(self, metrics: dict[str, float]) -> None:
        if self.best and metrics["auc"] <= self.best["metrics"]["auc"]:
            self.stale += 1
            return
        self.best, self.stale = {"step": self.step, "metrics": metrics}, 0
        if self.directory is None:
            self.kept = jax.device_get(self.state)

    def _restore(self, step: int) -> None:
        assert self.directory is not None
        like, spec = blueprint(self.learner), self._spec()
        restored = restore(self.directory, like, spec=spec, step=step)
        self.state, self.step, self.saved = settled(restored.state), step, step
        self.best, self.stale = (restored.checkpoint.notes[name] for name in ("best", "stale"))

    def _spec(self) -> dict[str, Any]:
        """What a checkpoint belongs to: the model, the recipe, and the order of the data."""
        model = self.learner.model(blueprint(self.learner))
        if not hasattr(model, "spec"):
            raise ValueError(
                f"A checkpoint needs the spec of its model, and {type(model).__name__} has none: "
                "give it a frozen dataclass marked with @spec, or train without a directory."
            )
        return {"model": model.spec, "recipe": self.learner.recipe, "data": self.loader.order}


@contextmanager
def _sigterm() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come, in place of dying of it; where Python allows, the main thread."""
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set
        return
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
