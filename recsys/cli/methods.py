"""`recsys methods`: every way of storing a table, and what it asks for."""

import dataclasses

from recsys.report.text import Table
from recsys.tables import METHODS
from recsys.tables.base import Field
from recsys.tables.method import Method

SEEN_ONCE = 2  # times, of the values that the floor is worked out for: the fewest a method may want


@dataclasses.dataclass(frozen=True)
class Methods:
    """Lists the table methods: category, paper, smallest size, needs, and what training keeps.

    The floor is the smallest table for one feature, as a share of its full float32 table; with
    many features of few values it is higher, and `train --budget` says what it is there.
    """

    values: int = 1_000_000  # of the feature that floors are worked out for
    dim: int = 16  # width of its vectors

    def run(self) -> int:
        """Prints a line for each method."""
        print(methods(self.values, self.dim))
        return 0


def methods(values: int, dim: int) -> Table:
    """Every method of the registry.

    Raises:
        ValueError: there are no such vectors or values.
    """
    if values < 2 or dim < 1:
        raise ValueError(
            f"Floors want a feature of at least 2 values and vectors of at least 1 number, got "
            f"values={values} and dim={dim}: give larger ones."
        )
    field = Field("feature", values, salt=1, counts=((SEEN_ONCE, values - 1),))
    rows = []
    for name, make in METHODS.items():
        method = make()
        needs = ", ".join(sorted(method.needs)) or "-"
        within = "yes" if method.trains_within_budget else "no"
        floor = _floor(method, dim, field)
        rows.append((name, method.category, floor, needs, within, method.paper))
    heads = ("method", "category", "floor", "needs", "trains within budget", "paper")
    return Table(f"Table methods, floors for {values:,} values of {dim} numbers", heads, rows)


def _floor(method: Method, dim: int, field: Field) -> str:
    try:
        least = method.dial(dim, (field,)).make(0).table_bytes(dim, (field,))
    except ValueError:  # vectors that it cannot make
        return f"not of {dim}"
    return f"{least / (4 * dim * (field.values or 1)):.4%}"
