"""Placement: a variable's type decides where it lives.

Rows and their slots are split over the mesh; everything else is on every device.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from recsys.parallel.memory import use_huge_pages
from recsys.parallel.mesh import split, whole

SPLIT = ("rows", "slots")  # fields of a training state whose arrays have the row axis in front


def shardings(state: Any, mesh: Mesh) -> Any:
    """The sharding of every array of a training state."""
    by_row, everywhere = split(mesh), whole(mesh)

    def of(name: str) -> Any:
        sharding = by_row if name in SPLIT else everywhere
        return jax.tree.map(lambda _: sharding, getattr(state, name))

    names = [field.name for field in dataclasses.fields(state)]
    return dataclasses.replace(state, **{name: of(name) for name in names})


def place(state: Any, layout: Any) -> Any:
    """A copy of the state on the mesh, owned by the caller (so that it can be donated)."""
    # device_put alone would share the buffer of a replicated array's first device (jax 0.10.2).
    return jax.tree.map(lambda array, to: jax.device_put(jnp.copy(array), to), state, layout)


def settled(state: Any) -> Any:
    """The state, its tall arrays where many steps will read them fast."""
    use_huge_pages([getattr(state, name) for name in SPLIT])
    return state
