"""A two-tower step beside PyTorch: same model, same users, items and negatives, in one run.

Claim: at least 1.2 times as fast as the same model in PyTorch. A user is the mean of its history
plus a vector of its own, an item its vector; cosines over a temperature, softmax over sampled
candidates corrected for how often they come up, the user's own items masked; rows are learned by
Adam that touches only them (ours, and torch's SparseAdam). The sizes are those of Gowalla, ids are
drawn by popularity. Both start from the same vectors, and the run stops if their first losses
differ. Records go to `results/tower_step.json`. A few minutes on two cores.

    python -m experiments.benchmarks.tower_step

Both run in one process, in turns of eight steps in a row; the ratio is the median over rounds.
"""

import dataclasses
import sys

import numpy as np
import tyro
from flax import nnx

from experiments.benchmarks.timing import interleave, ratio, require_quiet, summarise
from experiments.benchmarks.torch_towers import TorchTowers
from experiments.results import Record, device, save
from recsys.data.interactions import Interactions, sparse
from recsys.embedding import Group, Grouped, PerFeature, Unified
from recsys.features import Feature, Schema
from recsys.models import Tower, TwoTower
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.parallel.memory import keep_freed_memory
from recsys.retrieval import Sampling, Sides, UserBatches
from recsys.tables import Full
from recsys.training import Learner, Recipe, Report

RATE = 0.003
TOLERANCE = 1e-3  # of the first losses, relative


@dataclasses.dataclass(frozen=True)
class TowerStep:
    """Times one train step of two towers, ours and PyTorch's."""

    users: int = 29_858
    items: int = 40_981
    pairs: int = 810_128  # that users met, before repeats
    dim: int = 64
    batch: int = 512  # users of a step
    history: int = 64  # places
    targets: int = 32  # of a user
    candidates: int = 4096  # of a batch
    rounds: int = 30  # measured turns of each
    batches: int = 8  # distinct batches that the turns rotate over
    save: bool = True  # write the records to experiments/results


class OurTowers:
    """The library's learner over batches of `UserBatches`."""

    name, recipe = "recsys", "LazyAdam"

    def __init__(self, settings: TowerStep):
        """Draws interactions, and the batches that both step on."""
        self.spec = spec_of(settings)
        sides = Sides.of(self.spec, drawn(settings).train)
        loader = UserBatches(sides, size=settings.batch, sampling=Sampling(history="all"))
        self.packed = [loader.batch(step) for step in range(settings.batches)]
        recipe = Recipe(rows=RowTraining(LazyAdam(RATE)), dense=Adam(RATE))
        self.learner = Learner(lambda: self.spec.build(rngs=nnx.Rngs(0)), recipe)
        self.batches = [self.learner.put(batch) for batch in self.packed]
        self.state = self.learner.start()

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Of all users and items, before the first step."""
        embed = self.learner.model(self.state).embed
        of = {f.name: embed.tables[t] for t, plan in embed.plans.items() for f in plan.features}
        user, item = (np.asarray(of[name].stored()["weight"]) for name in ("user", "item"))
        return user, item

    def step(self, i: int) -> Report:
        """Queues one whole train step."""
        self.state, report = self.learner.step(self.state, self.batches[i % len(self.batches)])
        return report


def spec_of(settings: TowerStep) -> TwoTower:
    """The towers that are timed."""
    items = {"values": settings.items, "space": "item"}
    schema = Schema(
        (
            Feature("user", values=settings.users),
            Feature("history", kind="bag", length=settings.history, **items),
            Feature("item", **items),
        ),
        label=None,
    )
    return TwoTower(
        schema,
        Grouped(
            (
                Group(("user",), PerFeature(Full(), settings.dim)),
                Group(("history", "item"), Unified(Full(), settings.dim)),
            )
        ),
        user=Tower(("user", "history")),
        item=Tower(("item",)),
        dim=settings.dim,
        targets=settings.targets,
        candidates=-(-settings.candidates // settings.batch),
        in_batch=False,
        is_counted=True,
    )


def drawn(settings: TowerStep, seed: int = 0) -> Interactions:
    """Users who met items by popularity, at least two each."""
    rng = np.random.default_rng(seed)
    chance = 1 / np.arange(1, settings.items + 1) ** 0.8
    items = rng.choice(settings.items, settings.pairs, p=chance / chance.sum())
    users = rng.integers(0, settings.users, settings.pairs)
    twice = np.repeat(np.arange(settings.users), 2)
    users, items = np.append(users, twice), np.append(items, np.arange(len(twice)) % settings.items)
    shape = (settings.users, settings.items)
    nothing = np.zeros(0, np.int64)
    return Interactions(sparse(users, items, shape), sparse(nothing, nothing, shape))


def compare(settings: TowerStep) -> list[Record]:
    """Both in turns; refuses to compare what does not compute the same."""
    ours = OurTowers(settings)
    theirs = TorchTowers(ours.spec, ours.packed, *ours.vectors(), rate=RATE)
    losses = [float(np.asarray(own.step(0).loss)) for own in (ours, theirs)]
    if abs(losses[0] - losses[1]) > TOLERANCE * abs(losses[0]):
        raise RuntimeError(
            f"Both should begin with one loss, got {losses[0]} and {losses[1]}: the models differ."
        )
    runners = {own.name: own.step for own in (ours, theirs)}
    seconds = interleave(runners, rounds=settings.rounds)
    records = []
    for own in (ours, theirs):
        time = summarise(seconds[own.name], scale=1e3)
        speed = ratio(seconds[theirs.name], seconds[own.name])
        metrics = {"step_ms": time.median, "step_ms_low": time.low, "step_ms_high": time.high}
        metrics |= {"step_speed_of_torch": speed.median, "step_speed_of_torch_low": speed.low}
        metrics = {name: round(value, 3) for name, value in metrics.items()}
        print(f"{own.name:16} " + "  ".join(f"{name}={value:g}" for name, value in metrics.items()))
        records.append(
            Record(
                experiment="tower_step",
                model="two_tower",
                table="full" if own is ours else None,
                training=own.recipe,
                metrics=metrics,
                examples_per_s=round(settings.batch / time.median * 1e3),
                device=device(),
                peer=None if own is ours else own.name,
                command=" ".join(["python -m experiments.benchmarks.tower_step", *sys.argv[1:]]),
            )
        )
    return records


if __name__ == "__main__":
    choice = tyro.cli(TowerStep)
    if choice.save:
        require_quiet()
    keep_freed_memory()  # before the first allocation, and for both alike
    measured = compare(choice)
    if choice.save:
        save("tower_step", measured)
