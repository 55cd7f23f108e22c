"""The exchange: the only place that knows that rows live on several devices.

This is the automatic form: gathers and scatters over split arrays, which XLA's partitioner turns
into local reads and writes and one exchange of the stored rows that were asked for. A
hand-written one (`jax.shard_map`, all-to-all) keeps these two functions.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Int, Int32, Shaped

from recsys.parallel.mesh import split, whole
from recsys.tables.base import OUT, Rows
from recsys.tables.base import read as gather


@dataclasses.dataclass(frozen=True)
class Exchange:
    """Moves stored rows between where they live and where they are used."""

    mesh: Mesh

    def read(self, stored: Rows, address: Mapping[str, Int[Array, "..."]]) -> Rows:
        """The addressed rows of each array, split like the batch; OUT reads zeros."""
        rows = gather(stored, address)
        return {
            name: jax.lax.with_sharding_constraint(r, split(self.mesh)) for name, r in rows.items()
        }

    def write(self, stored: Array, rows: Int32[Array, " places"], values: Array) -> Array:
        """The array with these rows replaced; rows at OUT are dropped, the others are distinct."""
        # Distinct even where dropped, as promised to XLA: no two entries name the same row, and
        # a negative one lies outside of every array.
        dropped = -1 - jnp.arange(len(rows), dtype=rows.dtype)
        distinct = jnp.where(rows == OUT, dropped, rows)
        return stored.at[distinct].set(
            values, mode="drop", unique_indices=True, wrap_negative_indices=False
        )

    def everywhere(self, array: Shaped[Array, "places *rest"]) -> Shaped[Array, "places *rest"]:
        """Something of the whole batch on every device: a few bytes a place, so that all agree."""
        return jax.lax.with_sharding_constraint(array, whole(self.mesh))
