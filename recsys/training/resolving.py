"""Settings made into specs for one schema: the model, the recipe, the batches."""

import dataclasses
from typing import Any

from recsys.embedding import PerFeature, Unified
from recsys.features.schema import Schema
from recsys.models import MODELS
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.optim.schedules import Constant, Cosine, Drops, Linear, Schedule
from recsys.spec import spec
from recsys.tables import METHODS, Full, Hash
from recsys.tables.method import Method
from recsys.training.options import with_options
from recsys.training.recipe import Recipe
from recsys.training.settings import Budget, Settings

WIDTH = 16  # of a feature's vector, over all its lookups
SMALL_BYTES = 64 * 10**6  # up to so many, "auto" gives every value rows of its own
BATCHES = (256, 2048)  # the fewest and the most examples a step that are chosen here
STEPS_PER_EPOCH = 400  # that are aimed at between those


@spec
@dataclasses.dataclass(frozen=True)
class Resolved:
    """Everything that training does, spelled out."""

    model: Any  # the spec of a ranker
    recipe: Recipe
    batch: int  # examples a step
    epochs: int
    patience: int
    order: str  # of examples: shuffled, or blocks
    seed: int


def resolve(
    settings: Settings, schema: Schema, examples: int, *, order: str = "shuffled"
) -> Resolved:
    """What the settings mean for a training split of so many examples.

    Args:
        order: of examples, where the settings leave it open.

    Raises:
        ValueError: the budget is too small for the table, or an option does not fit.
    """
    batch = settings.batch or _batch(examples)
    if batch > examples:
        raise ValueError(
            f"A batch of {batch} needs as many training examples, got {examples}: give a smaller "
            "batch, or more data."
        )
    schema, layout = resolve_layout(settings, schema, examples)
    model = with_options(
        MODELS[settings.model], settings.model_options, schema=schema, layout=layout
    )
    rows = RowTraining(
        LazyAdam(settings.rate),
        weight_decay=settings.decay,
        decay_by=settings.decay_by,
        average=settings.average,
    )
    recipe = Recipe(
        rows=rows,
        dense=Adam(settings.dense_rate),
        dropout=settings.dropout,
        schedule=_schedule(settings.schedule, settings.epochs * (examples // batch)),
        warmup=settings.warmup,
        seed=settings.seed,
    )
    return Resolved(
        model=model,
        recipe=recipe,
        batch=batch,
        epochs=settings.epochs,
        patience=settings.patience,
        order=order if settings.order == "auto" else settings.order,
        seed=settings.seed,
    )


def resolve_layout(
    settings: Settings, schema: Schema, examples: int, *, width: int = WIDTH
) -> tuple[Schema, Unified | PerFeature]:
    """The tables that settings mean, and the schema with as many lookups as they take.

    Args:
        width: of a feature's vector over all its lookups, where the settings leave it open.

    Raises:
        ValueError: the budget is too small for the table, or an option does not fit.
    """
    method, lookups = _method(settings, schema, width)
    schema = with_lookups(schema, settings.lookups, default=lookups)
    return schema, _layout(settings, schema, method, examples, width)


def full_bytes(schema: Schema, width: int) -> int | None:
    """Bytes of a table in which every value has a row of its own; None if a feature is hashed."""
    if any(feature.values is None for feature in schema.categorical):
        return None
    single = with_lookups(schema, 1, default=1)
    return Unified(Full(), width).plans(single)["unified"].table_bytes


def with_lookups(schema: Schema, lookups: int | None, *, default: int) -> Schema:
    """The schema with so many lookups everywhere; None is `default`, where it has only one."""
    features = tuple(
        dataclasses.replace(feature, lookups=lookups or max(feature.lookups, default))
        if feature.reads_table
        else feature
        for feature in schema.features
    )
    return dataclasses.replace(schema, features=features)


def _batch(examples: int) -> int:
    """A power of two, so that an epoch has about `STEPS_PER_EPOCH` steps where the bounds allow."""
    least, most = BATCHES
    while least < most and least * STEPS_PER_EPOCH * 2 <= examples:
        least *= 2
    return min(least, examples)


def _method(settings: Settings, schema: Schema, width: int) -> tuple[Method, int]:
    """The table's method, and how many rows a value reads where nobody says it."""
    if settings.table != "auto":
        method = with_options(METHODS[settings.table], settings.table_options)
        return method, 2 if _is_hashed(method) else 1
    if settings.table_options:
        raise ValueError(
            f"Options of a table need its name, got {', '.join(settings.table_options)} for auto: "
            f"choose a table of {', '.join(METHODS)}."
        )
    width = settings.dim * (settings.lookups or 1) if settings.dim else width
    full, most = full_bytes(schema, width), SMALL_BYTES
    if settings.budget is not None:
        most = budget_bytes(settings.budget, schema, width)
    return (Full(), 1) if full is not None and full <= most else (Hash(), 2)


def _is_hashed(method: Method) -> bool:
    return isinstance(getattr(method, "of", method), Hash)


def _layout(
    settings: Settings, schema: Schema, method: Method, examples: int, width: int
) -> Unified | PerFeature:
    """The layout, with tables that keep to the budget."""
    lookups = max((feature.lookups for feature in schema.categorical), default=1)
    dim = settings.dim or max(1, width // lookups)
    layout = PerFeature(method, dim) if settings.layout == "per-feature" else Unified(method, dim)
    if settings.budget is not None:
        budget = budget_bytes(settings.budget, schema, dim * lookups)
        _refuse_below_floor(layout, schema, budget, asked=settings.budget, width=dim * lookups)
        return layout.within(budget, schema)
    if settings.table == "auto" and isinstance(method, Hash):
        values = sum(f.values or examples * f.length for f in schema.categorical)
        return layout.within(min(SMALL_BYTES, 4 * dim * lookups * values), schema)
    return layout


def floor_bytes(layout: Unified | PerFeature, schema: Schema) -> int:
    """Bytes of the smallest tables that a layout's method can make.

    Raises:
        ValueError: the method lacks what it needs of the schema, as counts.
    """
    tables = layout.plans(schema).values()
    smallest = [table.method.dial(table.dim, table.fields).make(0) for table in tables]
    return sum(
        method.table_bytes(table.dim, table.fields)
        for method, table in zip(smallest, tables, strict=True)
    )


def budget_bytes(budget: str, schema: Schema, width: int) -> int:
    """A budget in bytes; a share is one of the full table with vectors of `width`.

    Raises:
        ValueError: it is a share, and a feature is hashed, so that nobody knows the full table.
    """
    wanted = Budget.of(budget)
    if not wanted.is_share:
        return int(wanted.amount)
    full = full_bytes(schema, width)
    if full is None:
        hashed = [feature.name for feature in schema.categorical if feature.values is None]
        raise ValueError(
            f"A budget of {budget} needs a vocabulary of every feature, and {', '.join(hashed)} "
            "are hashed: give the budget in bytes, as 4MB."
        )
    return int(wanted.amount * full)


def _refuse_below_floor(
    layout: Unified | PerFeature, schema: Schema, budget: int, *, asked: str, width: int
) -> None:
    """Refuses a budget that no setting of the method fits; says which share of the full table one
    needs, where that is known.
    """
    floor, full = floor_bytes(layout, schema), full_bytes(schema, width)
    if floor > budget:
        told = f"{100 * floor / full:.3g}% of the full table, " if full else ""
        raise ValueError(
            f"{type(layout.method).__name__} needs at least {told}{floor:,} bytes for vectors of "
            f"{layout.dim} here, got a budget of {asked}: give it more, or choose another method."
        )


def _schedule(name: str, steps: int) -> Schedule:
    """The schedule over all steps; drops come at a half and at three quarters of them."""
    if name == "drops":
        return Drops(at=(max(1, steps // 2), max(2, 3 * steps // 4)))
    return Constant() if name == "constant" else {"cosine": Cosine, "linear": Linear}[name](steps)
