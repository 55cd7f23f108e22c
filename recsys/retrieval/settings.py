"""Settings of retrieval: what a person may choose about two towers, and the specs they become."""

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recsys.features.feature import Feature
from recsys.features.schema import Schema
from recsys.losses import GBCE, RETRIEVAL_LOSSES
from recsys.models import Tower, TwoTower
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.optim.schedules import Cosine
from recsys.retrieval.known import Known, levels
from recsys.retrieval.user_batches import Sampling
from recsys.spec import spec
from recsys.towers.pooling import POOLINGS, Mean, Sum
from recsys.training.options import with_options
from recsys.training.recipe import Recipe
from recsys.training.resolving import resolve_layout
from recsys.training.settings import LayoutName, Settings, TableName

USER, HISTORY, ITEM = "user", "history", "item"  # what towers call their own features
MOST_PLACES, MOST_TARGETS, MOST_CANDIDATES = 256, 64, 4096
USERS, STEPS_PER_EPOCH = (16, 512), 8  # the fewest and the most users of a batch; steps aimed at

if TYPE_CHECKING:
    PoolingName = LossName = str
else:  # the registries' names, so that a command line can list and complete them
    PoolingName = Literal[tuple(POOLINGS)]
    LossName = Literal[tuple(RETRIEVAL_LOSSES)]


@spec
@dataclasses.dataclass(frozen=True)
class TowerSettings:
    """Two towers and how they learn."""

    dim: int = 64  # of the vectors of users and items
    user_id: bool = False  # users have vectors of their own beside their history's
    user_features: tuple[str, ...] = ()  # of the schema, that the user tower reads as well
    item_features: tuple[str, ...] = ()  # likewise the item tower: vectors for items nobody met
    neighbours: int = 0  # items met by the same users, that the item tower reads of each item
    pooling: PoolingName = "attention"  # how the items of a history become one vector
    loss: LossName = "softmax"  # of what users chose against what they did not
    loss_options: tuple[str, ...] = ()  # fields of its spec, as margin=0.8 slack=0.01
    table: TableName = "auto"  # how vectors are stored; auto: full where that is small, else hash
    table_options: tuple[str, ...] = ()  # fields of its spec, as rows=65536 of=hash
    layout: LayoutName = "unified"  # one table for all features, or one each
    budget: str | None = None  # table bytes: as 64KB, 1.5MB, or 1% of the full table's
    lookups: int | None = None  # rows a value reads; by default 1 where each has its own, else 2
    history: int | None = None  # items of a history in training; by default what most users have
    targets: int | None = None  # items asked for at a turn; by default half of most users', to 64
    candidates: int | None = None  # items of a batch that targets compete with; 4096 at most
    batch: int | None = None  # users a step; by default more for more users, 16 to 512
    temperature: float | None = (
        None  # divides cosines in training; by default 0.1, or 1 for margins
    )
    rate: float = 0.01  # learning rate
    epochs: int = 60  # at most
    every: int = 5  # epochs between looks at validation
    patience: int = 3  # looks without a better recall@20 after which training stops
    shift: float = 0.2  # items that n users met weigh less as negatives, by n to this power
    sampling_options: tuple[str, ...] = ()  # of Sampling, as history=all turns=all weight=0
    average: float = 0.0  # decay of the moving average that is evaluated; 0 is none
    seed: int = 0  # of the start and the order

    def __post_init__(self):
        counts = (self.dim, self.epochs, self.every, self.patience)
        more = (self.history, self.targets, self.candidates, self.batch, self.lookups)
        if self.neighbours < 0:
            raise ValueError(
                f"Settings want neighbours of at least 0, got {self.neighbours}: 0 reads none."
            )
        if any(count is not None and count < 1 for count in (*counts, *more)):
            raise ValueError(
                "Settings want dim, epochs, every, patience, history, targets, candidates, batch "
                f"and lookups of at least 1, got {', '.join(map(str, (*counts, *more)))}: raise "
                "them, or leave them out."
            )


@spec
@dataclasses.dataclass(frozen=True)
class ResolvedTowers:
    """Everything that training does, spelled out."""

    model: Any  # a TwoTower
    recipe: Recipe
    sampling: Sampling
    user_schema: Schema | None  # of the features of users that are read
    item_schema: Schema | None
    batch: int  # users a step
    epochs: int
    every: int
    patience: int
    seed: int


def resolve_towers(settings: TowerSettings, known: Known) -> ResolvedTowers:
    """What the settings mean for these users and items.

    Raises:
        ValueError: nobody met two items, the budget is too small, or an option does not fit.
    """
    counts = np.diff(known.train.indptr)
    eligible = counts[counts >= 2]
    if not len(eligible):
        raise ValueError(
            f"Two towers want users who met at least two items in training, got none of "
            f"{len(counts):,}: import more rows, or give training a larger share."
        )
    most = int(np.quantile(eligible, 0.95))
    targets = settings.targets or min(max(1, (most + 1) // 2), MOST_TARGETS)
    sampling = with_options(Sampling, settings.sampling_options, shift=settings.shift)
    turns = len(sampling.users(counts, targets=targets))
    batch = min(settings.batch or _batch(len(eligible)), turns)
    schema, layout = _tables(settings, known, history=min(most, MOST_PLACES))
    users = tuple(f.name for f in schema.features if f.name in _user_names(known))
    items = (ITEM, *(f.name for f in _features(known.item_rows)))
    wanted = min(settings.candidates or MOST_CANDIDATES, len(known.items))
    model = TwoTower(
        schema,
        layout,
        user=Tower(users, pooling=POOLINGS[settings.pooling]()),
        item=Tower(items, pooling=Sum() if settings.neighbours else Mean()),
        dim=settings.dim,
        temperature=_temperature(settings),
        loss=_loss(settings, items=len(known.items)),
        targets=targets,
        candidates=-(-wanted // batch),
        in_batch=False,
        is_counted=True,
    )
    steps = settings.epochs * (turns // batch)
    recipe = Recipe(
        rows=RowTraining(LazyAdam(settings.rate), average=settings.average),
        dense=Adam(settings.rate),
        schedule=Cosine(steps),
        warmup=max(1, steps // 20),
        seed=settings.seed,
    )
    return ResolvedTowers(
        model=model,
        recipe=recipe,
        sampling=sampling,
        user_schema=None if known.user_rows is None else known.user_rows.schema,
        item_schema=None if known.item_rows is None else known.item_rows.schema,
        batch=batch,
        epochs=settings.epochs,
        every=settings.every,
        patience=settings.patience,
        seed=settings.seed,
    )


def _tables(settings: TowerSettings, known: Known, *, history: int) -> tuple[Schema, Any]:
    """The schema of the towers, and its tables."""
    own = {HISTORY, ITEM, *((USER,) if settings.user_id else ())}
    both = (*_features(known.user_rows), *_features(known.item_rows))
    names = [feature.name for feature in both]
    twice = sorted({name for name in names if name in own or names.count(name) > 1})
    if twice:
        raise ValueError(
            f"A feature is of the user or of the item, and not one that towers have anyway, got "
            f"{twice[0]!r}: leave it out."
        )
    popularity = np.bincount(known.train.indices, minlength=len(known.items))
    items = {"values": len(known.items), "counts": levels(popularity)}
    length = settings.history or history
    user = Feature(USER, values=len(known.users), counts=levels(np.diff(known.train.indptr)))
    schema = Schema(
        (
            *((user,) if settings.user_id else ()),
            *_features(known.user_rows),
            Feature(HISTORY, kind="bag", length=length, space=ITEM, **items),
            Feature(ITEM, **items),
            *_features(known.item_rows),
        ),
        label=None,
    )
    words = Settings(
        table=settings.table,
        table_options=settings.table_options,
        layout=settings.layout,
        budget=settings.budget,
        lookups=settings.lookups,
    )
    return resolve_layout(words, schema, known.train.nnz, width=settings.dim)


def _loss(settings: TowerSettings, *, items: int) -> Any:
    made = RETRIEVAL_LOSSES[settings.loss]
    given = {"items": items} if made is GBCE else {}
    return with_options(made, settings.loss_options, **given)


def _temperature(settings: TowerSettings) -> float:
    if settings.temperature is not None:
        return settings.temperature
    return 1.0 if settings.loss == "cosine_contrastive" else 0.1  # its margin is a cosine


def _features(rows: Any) -> tuple[Feature, ...]:
    return () if rows is None else rows.schema.features


def _user_names(known: Known) -> set[str]:
    return {USER, HISTORY, *(feature.name for feature in _features(known.user_rows))}


def _batch(users: int) -> int:
    """A power of two, so that an epoch has about `STEPS_PER_EPOCH` steps where the bounds allow."""
    least, most = USERS
    while least < most and least * STEPS_PER_EPOCH * 2 <= users:
        least *= 2
    return least
