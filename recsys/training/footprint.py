"""What training keeps from one step to the next, in bytes: what compression is to save."""

import dataclasses
from typing import Any

import jax

from recsys.training.step import State


@dataclasses.dataclass(frozen=True)
class TrainingBytes:
    """The bytes of one table between two steps; what a step needs for its batch comes on top."""

    rows: int  # stored arrays as they lie in memory: their padding, scales and indices with them
    params: int  # dense ones of the table: codebooks, matrices, networks
    slots: int  # the optimizers', of both, and moving averages
    rest: int  # sketches, thresholds, choices: what the table keeps beside

    @property
    def total(self) -> int:
        return self.rows + self.params + self.slots + self.rest

    def per_budget(self, budget_bytes: int) -> float:
        """The total as a multiple of budget x (1 + slots), where slots is bytes of slots a byte of
        what they belong to; above 1 is what a method keeps that neither is served nor is a slot.
        """
        slots = self.slots / max(1, self.rows + self.params)
        return self.total / (budget_bytes * (1 + slots))


def training_bytes(state: State) -> dict[str, TrainingBytes]:
    """Measured on a state's own arrays, by table; their shapes alone will do (`jax.eval_shape`)."""
    return {
        table: TrainingBytes(
            rows=_bytes_of(state.rows, table),
            params=_bytes_of(state.params, table),
            slots=_bytes(jax.tree.leaves(slots))
            + _bytes_of(state.dense, table)
            + _bytes_of(state.average, table),
            rest=_bytes_of(state.rest, table),
        )
        for table, slots in state.slots.items()
    }


def kept_bytes(state: State) -> int:
    """What training keeps of all tables."""
    return sum(own.total for own in training_bytes(state).values())


def _bytes_of(tree: Any, table: str) -> int:
    """Bytes of the arrays that belong to a table, wherever in the tree the tables are."""
    wanted = ("embed", "tables", table)
    found = []
    for path, array in jax.tree_util.tree_leaves_with_path(tree):
        names = [getattr(key, "key", getattr(key, "name", None)) for key in path]
        if any(tuple(names[n : n + 3]) == wanted for n in range(len(names))):
            found.append(array)
    return _bytes(found)


def _bytes(arrays: list[Any]) -> int:
    return sum(array.size * array.dtype.itemsize for array in arrays)
