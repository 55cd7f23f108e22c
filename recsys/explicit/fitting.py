"""Fitting a space: profiles meet the jobs that are relevant to them, known skills are found.

space = fit(SpaceSettings(), inventory, train, valid)
space.explain("ten years of Python", "data engineer")
"""

import dataclasses
import sys
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from tqdm import tqdm

from recsys.data.stream import stream
from recsys.explicit.batches import PairBatches, skill_documents
from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.encoding import encoded
from recsys.explicit.inventory import Inventory
from recsys.explicit.linking import Linker
from recsys.explicit.settings import SpaceSettings, model_of, recipe_of
from recsys.explicit.space import Space
from recsys.explicit.vectors import Programs
from recsys.metrics.graded import graded_ndcg
from recsys.models.explicit import Explicit, ExplicitModel
from recsys.models.heads import NamedHead
from recsys.towers.text import hashed_terms
from recsys.training.learner import Learner


def fit(
    spec: SpaceSettings,
    inventory: Inventory,
    train: Relevance,
    valid: Relevance | None = None,
    *,
    linker: Linker | None = None,
    seed: int = 0,
    mesh: Mesh | None = None,
    progress: bool = True,
) -> Space:
    """A space of the inventory's skills; of the epoch with the highest nDCG@10 on validation.

    Args:
        valid: other profiles and jobs; None keeps the last epoch.
        linker: what documents speak of by their words, which they are taken to state from then on.
        seed: of the start and the order.
        progress: shows a bar on a terminal.

    Raises:
        ValueError: the data are over another inventory, or there is nothing to learn from.
    """
    if linker is not None:
        train = linked(linker, train, spec.link_gain)
    model_spec = model_of(spec, inventory, train)
    batches = PairBatches(
        model_spec,
        inventory,
        train,
        size=spec.batch,
        texts_of_skills=spec.texts_of_skills,
        seed=seed,
    )
    steps = batches.steps_per_epoch
    model = started(spec, model_spec, inventory, train, seed=seed)
    learner = Learner(model, recipe_of(spec, steps=spec.epochs * steps, seed=seed), mesh)
    run = _Run(spec, inventory, learner, batches, valid, linker)
    bar = tqdm(
        total=spec.epochs,
        unit=" epochs",
        file=sys.stderr,
        disable=None if progress else True,
    )
    with closing(bar):
        while run.epoch < spec.epochs and run.stale < spec.patience:
            bar.set_postfix(run.train())
            bar.update()
    return run.best()


def linked(linker: Linker, data: Relevance, gain: float) -> Relevance:
    """The data with what documents speak of."""
    profiles, jobs = (linker.linked(part, gain=gain) for part in (data.profiles, data.jobs))
    return Relevance(profiles, jobs, data.grades)


def started(
    settings: SpaceSettings,
    spec: Explicit,
    inventory: Inventory,
    train: Relevance,
    *,
    seed: int,
) -> ExplicitModel:
    """The model before the first step, with rare n-grams and names of skills put in."""

    def built() -> ExplicitModel:
        return spec.build(rngs=nnx.Rngs(seed))

    graph, state = nnx.graphdef(nnx.eval_shape(built)), jax.jit(lambda: nnx.state(built()))()
    found: ExplicitModel = nnx.merge(graph, state)
    own = skill_documents(inventory)
    if settings.rare_first:
        texts = sum(map(len, (train.profiles, train.jobs, own)))
        counts = sum(_frequency(spec, part) for part in (train.profiles, train.jobs, own))
        found.terms.start_from(np.asarray(counts), texts=texts)
    if spec.head == "explicit" and settings.names_first:
        programs = Programs(found)
        for side, head in enumerate(found.heads):
            assert isinstance(head, NamedHead)
            head.skill.set_value(jnp.asarray(programs.told(own, side)))
    return found


def _frequency(spec: Explicit, documents: Documents) -> Any:
    """How many texts have an n-gram of each bucket."""
    batch = encoded(spec, documents)
    length = spec.schema.features[0].length
    high, low, valid = (np.asarray(a)[:, :length] for a in (batch.high, batch.low, batch.valid))
    buckets = np.asarray(hashed_terms(high, low, spec.terms)).astype(np.int64)
    row = np.broadcast_to(np.arange(len(buckets))[:, None], buckets.shape)
    each = np.unique((row * spec.terms + buckets)[valid]) % spec.terms
    return np.bincount(each, minlength=spec.terms)


@dataclasses.dataclass(eq=False)
class _Run:
    """A training run on its way."""

    settings: SpaceSettings
    inventory: Inventory
    learner: Learner
    batches: PairBatches
    valid: Relevance | None
    linker: Linker | None

    def __post_init__(self):
        self.state: Any = self.learner.start()
        self.epoch, self.stale = 0, 0
        self.kept: Any = None
        self.programs: Programs | None = None
        self.history: list[dict[str, float]] = []

    def train(self) -> dict[str, float]:
        """An epoch, and what came of it."""
        steps = self.batches.steps_per_epoch
        start, stop = self.epoch * steps, (self.epoch + 1) * steps
        losses = []
        with closing(stream(self.batches, start=start, stop=stop, put=self.learner.put)) as batches:
            for _ in range(start, stop):
                self.state, report = self.learner.step(self.state, next(batches))
                losses.append(report.loss)
        self.epoch += 1
        line = {"epoch": float(self.epoch), "loss": float(np.mean(jax.device_get(losses)))}
        if self.valid is not None:
            line["ndcg@10"] = self._measured()
        before = max((seen["ndcg@10"] for seen in self.history if "ndcg@10" in seen), default=-1.0)
        self.history.append(line)
        if line.get("ndcg@10", np.inf) > before:
            self.stale, self.kept = 0, (self.epoch, jax.device_get(self._model_state()))
        else:
            self.stale += 1
        return line

    def best(self) -> Space:
        """The space of the best epoch."""
        epoch, state = self.kept
        model = nnx.merge(nnx.graphdef(self.learner.model(self.state)), state)
        history = tuple(self.history)
        return Space(model, self.inventory, self.settings, epoch, history, self.linker)

    def _model_state(self) -> Any:
        return nnx.state(self.learner.model(self.state))

    def _measured(self) -> float:
        assert self.valid is not None
        model = self.learner.model(self.state)
        self.programs = self.programs.after(model) if self.programs else Programs(model)
        space = Space(
            model, self.inventory, self.settings, linker=self.linker, programs=self.programs
        )
        scores = space.score(self.valid.profiles, self.valid.jobs)
        return graded_ndcg(scores, self.valid.grades, k=10)
