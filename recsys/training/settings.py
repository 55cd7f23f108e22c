"""Settings: what a person may choose about a model and its training, with defaults for any table.

They are words and numbers only; `recsys.training.resolving` makes specs of them for one schema.
"""

import dataclasses
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from recsys.models import MODELS
from recsys.optim.schedules import SCHEDULES
from recsys.optim.touched import DECAYS
from recsys.spec import spec
from recsys.tables import METHODS

LAYOUTS = ("unified", "per-feature")
ORDERS = ("auto", "shuffled", "blocks")
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

if TYPE_CHECKING:
    ModelName = TableName = LayoutName = ScheduleName = OrderName = DecayName = str
else:  # the registries' names, so that a command line can list and complete them
    ModelName = Literal[tuple(MODELS)]
    TableName = Literal[("auto", *METHODS)]
    LayoutName = Literal[LAYOUTS]
    ScheduleName = Literal[tuple(SCHEDULES)]
    OrderName = Literal[ORDERS]
    DecayName = Literal[DECAYS]


@spec
@dataclasses.dataclass(frozen=True)
class Settings:
    """A model and how it learns."""

    model: ModelName = "dcn"  # the ranker
    model_options: tuple[str, ...] = ()  # fields of its spec, as cross=2 hidden=192,64
    table: TableName = "auto"  # how vectors are stored; auto: full where that is small, else hash
    table_options: tuple[str, ...] = ()  # fields of its spec, as rows=65536 of=hash
    layout: LayoutName = "unified"  # one table for all features, or one each
    budget: str | None = None  # table bytes: as 64KB, 1.5MB, or 1% of the full table's
    lookups: int | None = None  # rows a value reads; by default 1 where each has its own, else 2
    dim: int | None = None  # width of a row; by default 16 over the lookups
    batch: int | None = None  # examples a step; by default more for more examples, 256 to 2048
    epochs: int = 30  # at most
    patience: int = 2  # epochs without a better validation AUC after which training stops
    rate: float = 3e-3  # learning rate of rows
    dense_rate: float = 1e-3  # learning rate of everything else
    decay: float = 0.3  # weight decay of rows
    decay_by: DecayName = "touch"  # shrinks all rows alike when read, or as in dense training
    dropout: float = 0.1  # share of embedding entries dropped
    average: float = 0.99  # decay of the moving average that is evaluated; 0 is none
    schedule: ScheduleName = "constant"  # of the learning rates, over all epochs
    warmup: int = 0  # steps over which learning rates rise from zero
    order: OrderName = "auto"  # of examples: shuffled, or in blocks where memory is too small
    seed: int = 0  # of the start, the order and the dropout

    def __post_init__(self):
        """Refuses unknown names and numbers that nothing could be made of."""
        known(self.model, MODELS, what="model")
        known(self.table, ("auto", *METHODS), what="table")
        known(self.layout, LAYOUTS, what="layout")
        known(self.schedule, SCHEDULES, what="schedule")
        known(self.order, ORDERS, what="order")
        known(self.decay_by, DECAYS, what="way of decay")
        counts = (self.lookups, self.dim, self.batch, self.epochs, self.patience)
        if any(count is not None and count < 1 for count in counts):
            raise ValueError(
                "Settings want lookups, dim, batch, epochs and patience of at least 1, got "
                f"{', '.join(map(str, counts))}: raise them, or leave them out."
            )
        if self.budget is not None:
            Budget.of(self.budget)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Bytes, or a share of those of the full table."""

    amount: float
    is_share: bool

    @classmethod
    def of(cls, text: str) -> "Budget":
        """Reads a budget as a person writes it.

        Raises:
            ValueError: it is neither a size nor a percentage.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[a-z]*)\s*", text.lower())
        unit = match[2].upper() if match else "?"
        if match is None or (unit != "%" and unit not in UNITS) or float(match[1]) == 0:
            raise ValueError(
                f"A budget is a size as 64KB or 1.5MB, or a share of the full table as 1%, got "
                f"{text!r}: write it so (units: {', '.join(filter(None, UNITS))})."
            )
        if unit == "%":
            return cls(float(match[1]) / 100, is_share=True)
        return cls(float(match[1]) * UNITS[unit], is_share=False)


def known(name: str, names: Collection[str], *, what: str) -> None:
    """Refuses a name that is not among the known ones, and lists them."""
    if name not in names:
        raise ValueError(f"Unknown {what} {name!r}: known are {', '.join(names)}.")
