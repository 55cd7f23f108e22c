"""What can be chosen: a method's spec, and the one dial that fits it to a budget of bytes."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar

from flax import nnx

from recsys.tables.base import EmbeddingTable, Field

Chosen = TypeVar("Chosen", bound="Method")
Category = Literal[
    "none", "hashing", "composition", "dynamic", "quantization", "dimension", "pruning"
]
Need = Literal["vocabulary", "counts", "stages"]


@dataclasses.dataclass(frozen=True)
class Dial:
    """The settings of a method, numbered from the smallest table to the largest."""

    settings: int  # how many
    make: Callable[[int], Any]  # number -> spec


@dataclasses.dataclass(frozen=True)
class Method:
    """A way of storing an embedding table: a frozen spec that builds one."""

    category: ClassVar[Category]
    paper: ClassVar[str]
    own_needs: ClassVar[tuple[Need, ...]] = ()  # beside keys
    has_rows: ClassVar[bool] = True  # which a storage can hold; without them all is in Params

    @property
    def needs(self) -> frozenset[Need]:
        """What it needs beside keys, and what the methods that it wraps need."""
        inner = (value for value in vars(self).values() if isinstance(value, Method))
        return frozenset(self.own_needs).union(*(method.needs for method in inner))

    @property
    def keeps_floats(self) -> bool:
        """Whether the rows that it saves are floats, which a storage can hold in its own form."""
        return self.category != "quantization"

    @property
    def trains_within_budget(self) -> bool:
        """Whether training keeps what is served and the optimizer's slots, and little beside."""
        return True

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> EmbeddingTable:
        """A new table of vectors of `dim` for the given fields."""
        raise TypeError(f"{type(self).__name__} does not say what it builds: define build.")

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        """Bytes of the frozen table as saved, known before it is built."""
        raise TypeError(f"{type(self).__name__} does not say what it costs: define table_bytes.")

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """The settings that a budget chooses among; other options stay as they are here."""
        return Dial(settings=1, make=lambda _: self)

    def within(self: Chosen, budget_bytes: int, dim: int, fields: tuple[Field, ...]) -> Chosen:
        """The largest setting whose `table_bytes` are at most the budget.

        Raises:
            ValueError: not even the smallest setting fits.
        """
        dial = self.dial(dim, fields)
        floor = dial.make(0).table_bytes(dim, fields)
        if floor > budget_bytes:
            raise ValueError(
                f"{type(self).__name__} needs at least {floor:,} bytes for vectors of {dim} here, "
                f"got a budget of {budget_bytes:,}: give it more, or choose another method."
            )
        low, high = 0, dial.settings - 1  # `low` always fits
        while low < high:
            middle = (low + high + 1) // 2
            if dial.make(middle).table_bytes(dim, fields) <= budget_bytes:
                low = middle
            else:
                high = middle - 1
        return dial.make(low)
