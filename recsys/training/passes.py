"""The passes of a step over a table: touched rows learn, block by block, and are stored again."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.features.hashing import salt, uniform
from recsys.optim.touched import Cut, Reads, in_blocks, sum_repeats, trained
from recsys.parallel.exchange import Exchange
from recsys.tables.base import Context, EmbeddingTable, Noise, Rows
from recsys.training.recipe import Recipe

TableSlots = dict[str, dict[str, Array]]  # array -> slot


@dataclasses.dataclass(frozen=True)
class Passes:
    """What the passes over all tables have in common in one step."""

    recipe: Recipe
    exchange: Exchange
    context: Context
    taken: Int32[Array, ""]  # steps that changed something, before this one
    norm: Float[Array, ""]  # of all gradients of the first pass

    def learn(
        self,
        name: str,
        table: EmbeddingTable,
        rows: Rows | None,
        sums: Rows,
        slots: TableSlots,
        reads: dict[str, Reads],
        *,
        is_last: bool,
    ) -> tuple[Rows, TableSlots]:
        """One pass: updates the touched rows and slots, and stores the rows if it is the last.

        Rows that are not at hand are read again, block by block. Returns the rows at their places
        as the next pass shall see them (after the last: as they were), and all slots of the table.
        """
        flat = {a: row.reshape(-1, row.shape[-1]) for a, row in (rows or {}).items()}
        after, slots = dict(rows or {}), dict(slots)

        def touched(names: list[str], cut: Cut) -> Rows:
            if rows is not None:
                return {a: flat[a][cut(reads[a].first)] for a in names}
            stored = {a: array for a, array in table.stored().items() if a in names}
            return table.load(self.exchange.read(stored, {a: cut(reads[a].rows) for a in names}))

        def train(names: list[str], cut: Cut, slots: TableSlots) -> tuple[Rows, TableSlots]:
            own = touched(names, cut)
            slots = dict(slots)
            for a in sums.keys() & own.keys():
                at, grad = cut(reads[a].rows), cut(sums[a])
                own[a], slots[a] = self._update(table.rate(a), own[a], grad, slots[a], at)
            return own, slots

        for names in groups(reads):
            theirs = {a: slots[a] for a in names if a in slots}
            if not is_last:
                own, theirs = train(names, lambda array: array, theirs)
                assert rows is not None  # where there are later passes
                after |= {a: own[a][reads[a].rank].reshape(rows[a].shape) for a in names}
                slots |= theirs
                continue

            def settle(cut: Cut, carry: tuple, names: list[str] = names) -> tuple:
                stored, slots = carry
                own, slots = train(names, cut, slots)
                at = {a: cut(reads[a].rows) for a in names}
                kept = table.store(own, row_noise(name, at, own, self.context))
                new = {a: self.exchange.write(stored[a], at[a], value) for a, value in kept.items()}
                return stored | new, slots

            carry = ({a: table.rows[a][...] for a in names}, theirs)
            stored, theirs = in_blocks(settle, carry, reads=reads[names[0]], exchange=self.exchange)
            for a in names:
                table.rows[a].set_value(stored[a])
            slots |= theirs
        return after, slots

    def _update(
        self,
        relative: float,
        rows: Float[Array, "touched width"],
        grad: Float[Array, "touched width"],
        slots: dict[str, Array],
        at: Int32[Array, " touched"],
    ) -> tuple[Float[Array, "touched width"], dict[str, Array]]:
        if self.recipe.clip_norm:
            grad = grad * self.recipe.clip(self.norm)
        return self.recipe.rows.update(
            rows,
            grad,
            slots,
            at=at,
            rate=jnp.float32(relative) * self.recipe.rate(self.taken),
            step=self.taken + 1,
            exchange=self.exchange,
        )


def sum_pass(
    number: int,
    tables: nnx.Dict,
    grads: dict[str, Rows],
    reads: dict[str, dict[str, Reads]],
    *,
    way: str,
) -> dict[str, Rows]:
    """The summed gradients of the arrays that pass `number` trains, table by table."""
    return {
        t: sum_repeats({a: grads[t][a] for a in trained(table, number)}, reads[t], way=way)
        for t, table in tables.items()
    }


def groups(reads: dict[str, Reads]) -> list[list[str]]:
    """The arrays of a table by the addresses they share."""
    found: dict[int, list[str]] = {}
    for name, read in reads.items():
        found.setdefault(id(read.first), []).append(name)
    return list(found.values())


def row_noise(
    table: str, at: dict[str, Int32[Array, " places"]], rows: Rows, context: Context
) -> Noise:
    """Uniform noise that belongs to (seed, step, array, row, column), so the same on any mesh."""

    def noise(array: str) -> Float[Array, "places width"]:
        width = rows[array].shape[-1]
        row = jax.lax.bitcast_convert_type(at[array], jnp.uint32)[:, None]
        column = jnp.arange(width, dtype=jnp.uint32)[None]
        moment = (
            context.seed
            ^ jnp.uint32(salt(table, array))
            ^ context.step.astype(jnp.uint32) * jnp.uint32(0x9E3779B9)
        )
        rows_of, columns_of = jnp.broadcast_arrays(row, column)
        return jnp.asarray(uniform(rows_of, columns_of, moment))

    return noise
