"""Training the rows that a batch touched, and no others: sums of repeats, slots, averages, moves.

The distinct rows of a batch are packed to the front of arrays that are as long as the batch has
reads ("places"), so that shapes are static and the work still ends with the last distinct row:
on a CPU it goes block by block (`in_blocks`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from recsys.optim.rowwise import RowOptimizer, RowwiseAdagrad, Slots, SlotSpec, Touch
from recsys.parallel.exchange import Exchange
from recsys.parallel.repeats import REPEATS, TOTALS
from recsys.spec import spec
from recsys.tables.base import OUT, EmbeddingTable, Moves, Rows

TableSlots = dict[str, Slots]  # array name -> slots
DECAYS = ("touch", "step")
BLOCK = 8192  # distinct rows at a time, where they are trained block by block


class Reads(NamedTuple):
    """The reads of one array in a batch, and the distinct rows among them."""

    rows: Int32[Array, " places"]  # the distinct rows, packed to the front; OUT behind them
    first: Int32[Array, " places"]  # of each distinct row, the first place that reads it
    rank: Int32[Array, " places"]  # of each place, where its row stands among the distinct
    distinct: Int32[Array, ""]  # how many distinct rows


def find_repeats(
    address: Mapping[str, Int[Array, "..."]], exchange: Exchange, *, way: str
) -> dict[str, Reads]:
    """The distinct rows of each array; found once for arrays that share their addresses."""
    found: dict[int, Reads] = {}
    for array in address.values():
        if id(array) not in found:
            ids = exchange.everywhere(array.reshape(-1))
            found[id(array)] = _pack(ids, REPEATS[way](ids))
    return {name: found[id(array)] for name, array in address.items()}


def _pack(ids: Int32[Array, " places"], earliest: Int32[Array, " places"]) -> Reads:
    here = jnp.arange(len(ids), dtype=jnp.int32)
    is_first = (earliest == here) & (ids != OUT)
    order = jnp.cumsum(is_first, dtype=jnp.int32) - 1
    count = order[-1] + 1
    first = jnp.zeros_like(here).at[jnp.where(is_first, order, OUT)].set(here, mode="drop")
    rows = jnp.where(here < count, ids[first], OUT)
    # Padding ranks last: where there is any, there are fewer distinct rows than places.
    rank = jnp.where(ids == OUT, len(ids) - 1, order[earliest])
    return Reads(rows, first, rank, count)


def sum_repeats(grads: Rows, reads: dict[str, Reads], *, way: str) -> Rows:
    """The summed gradient of each distinct row, in their order; behind them is nobody's, and zero:
    a read at OUT has no part in the norm.
    """
    return {
        name: _without_out(
            TOTALS[way](grad.reshape(-1, grad.shape[-1]), reads[name].rank), reads[name]
        )
        for name, grad in grads.items()
    }


def _without_out(sums: Array, reads: Reads) -> Array:
    """The sums but that of the reads at OUT, which is the last if there are any."""
    is_whole = reads.distinct == len(reads.rank)
    return sums.at[-1].set(jnp.where(is_whole, sums[-1], 0.0))


Cut = Callable[[Array], Array]  # the part of an array over places that a block is about
Carry = TypeVar("Carry")


def in_blocks(
    body: Callable[[Cut, Carry], Carry],
    carry: Carry,
    *,
    reads: Reads,
    exchange: Exchange,
) -> Carry:
    """Does `body` for blocks of the distinct rows until they are done.

    Popular rows repeat, so the distinct are often few. On one CPU the blocks are a loop that ends
    with the last distinct row; elsewhere, and where the places do not divide well, all are one.
    """
    places = len(reads.rows)
    size = next((n for n in range(min(BLOCK, places), BLOCK // 8, -1) if places % n == 0), places)
    if size == places or exchange.mesh.size > 1 or jax.default_backend() != "cpu":
        return body(lambda array: array, carry)

    def block(number: Int32[Array, ""], carry: Carry) -> Carry:
        return body(lambda array: jax.lax.dynamic_slice_in_dim(array, number * size, size), carry)

    return jax.lax.fori_loop(0, (reads.distinct + size - 1) // size, block, carry)


def trained(table: EmbeddingTable, number: int) -> tuple[str, ...]:
    """The arrays that a table trains in pass `number`."""
    if number >= len(table.passes):
        return ()
    return table.passes[number] or tuple(table.rows)


@spec
@dataclasses.dataclass(frozen=True)
class RowTraining:
    """How rows learn: the optimizer and what goes with it.

    Attributes:
        optimizer: a spec of `recsys.optim.rowwise`.
        weight_decay: decoupled: a touched row shrinks by this times its learning rate (Loshchilov
            and Hutter, ICLR 2019), untouched rows do not.
        decay_by: "touch" shrinks frequent and rare rows alike; "step" makes up at each touch for
            the steps before it, as in dense training, so that rare rows shrink more.
        clip_row: a bound for the norm of a row's summed gradient; 0 is none.
        average: the decay of an exponential moving average of each row over the steps; 0 is none.
            Rows that are not touched cost nothing: their share is made up for by their age.
    """

    optimizer: RowOptimizer = RowwiseAdagrad()
    weight_decay: float = 0.0
    clip_row: float = 0.0
    average: float = 0.0
    decay_by: str = "touch"

    def __post_init__(self):
        if self.decay_by not in DECAYS:
            raise ValueError(
                f"Weight decay goes by {' or '.join(DECAYS)}, got decay_by={self.decay_by!r}."
            )
        if not 0 <= self.average < 1:
            raise ValueError(f"An average's decay lies in [0, 1), got average={self.average}.")
        if self.weight_decay < 0 or self.clip_row < 0:
            raise ValueError(
                f"weight_decay and clip_row are not negative, got {self.weight_decay} and "
                f"{self.clip_row}: use 0 for none."
            )

    def start(self, table: EmbeddingTable) -> TableSlots:
        """Fresh slots for every array that the table trains."""
        one = {
            name: jax.ShapeDtypeStruct((1, a.shape[1]), a.dtype)
            for name, a in table.stored().items()
        }
        widths = {name: rows.shape[1] for name, rows in jax.eval_shape(table.load, one).items()}
        names = {name for number in range(len(table.passes)) for name in trained(table, number)}
        return {
            name: self._start(len(table.rows[name][...]), widths[name]) for name in sorted(names)
        }

    def relocate(
        self,
        table: EmbeddingTable,
        slots: TableSlots,
        moves: Mapping[str, Moves],
        exchange: Exchange,
    ) -> TableSlots:
        """Moves rows of the table, and returns the slots moved with them; an array that no
        optimizer trains has none.
        """
        stored = table.stored()
        rows = {name: _taken(stored[name], own.source) for name, own in moves.items()}
        plus = {n: _taken(stored[n], m.plus) for n, m in moves.items() if m.plus is not None}
        if plus:
            rows |= table.added({name: rows[name] for name in plus}, plus)
        for name, own in moves.items():
            table.rows[name].set_value(exchange.write(stored[name], own.target, rows[name]))
        moved = {n: self.move(own, moves[n], exchange) for n, own in slots.items() if n in moves}
        return {**slots, **moved}

    def move(self, slots: Slots, moves: Moves, exchange: Exchange) -> Slots:
        """The slots of an array whose rows move; a row that is cleared starts afresh."""
        starts = {name: slot.initial for name, slot in self._wanted(1).items()}
        return {n: move(s, moves, exchange, start=starts.get(n, 0.0)) for n, s in slots.items()}

    def _wanted(self, width: int) -> dict[str, SlotSpec]:
        own = self.optimizer.slots(width)
        return {**own, "average": SlotSpec(width)} if self.average else own

    def _start(self, height: int, width: int) -> Slots:
        wanted = self._wanted(width)
        slots = {n: jnp.full((height, s.width), s.initial, jnp.float32) for n, s in wanted.items()}
        if self.optimizer.needs_age or self.average or self.decay_by == "step":
            slots["touched"] = jnp.zeros((height, 1), jnp.int32)
        return slots

    def update(
        self,
        rows: Float[Array, "touched width"],
        grad: Float[Array, "touched width"],
        slots: Slots,
        *,
        at: Int32[Array, " touched"],
        rate: Float[Array, ""],
        step: Int32[Array, ""],
        exchange: Exchange,
    ) -> tuple[Float[Array, "touched width"], Slots]:
        """The rows after one step, and the slots with the touched ones replaced.

        Args:
            at: the stored place of each row, OUT where nothing changes.
            step: counted from 1.
        """
        own = {name: slot.at[at].get(mode="fill", fill_value=0) for name, slot in slots.items()}
        age = jnp.float32(step - own.pop("touched", jnp.int32(0)))
        average = own.pop("average", None)
        if self.clip_row:
            norm = jnp.sqrt(jnp.sum(grad * grad, axis=-1, keepdims=True))
            grad = grad * jnp.minimum(1.0, self.clip_row / jnp.maximum(norm, 1e-30))
        change, new = self.optimizer.update(grad, own, Touch(rate, step, age))
        if self.weight_decay:
            share = self.optimizer.learning_rate * rate * self.weight_decay
            if self.decay_by == "step":
                share = 1 - jnp.maximum(0.0, 1 - share) ** age
            change = change - share * rows
        after = rows + change
        if average is not None:
            idle = self.average ** (age - 1)  # the row stood still since it was last touched
            until = idle * average + (1 - idle) * rows
            new["average"] = self.average * until + (1 - self.average) * after
        if "touched" in slots:
            new["touched"] = jnp.broadcast_to(step, (len(at), 1))
        return after, {name: exchange.write(slots[name], at, value) for name, value in new.items()}

    def averaged(self, table: EmbeddingTable, slots: TableSlots, step: Int32[Array, ""]) -> Rows:
        """Every row's average after `step` steps, as float rows."""
        rows = table.load(table.stored())
        for name, own in slots.items():
            idle = self.average ** jnp.float32(step - own["touched"])
            until = idle * own["average"] + (1 - idle) * rows[name]
            rows[name] = until / (1 - self.average ** jnp.float32(step))
        return rows


def move(array: Array, moves: Moves, exchange: Exchange, *, start: float = 0.0) -> Array:
    """The array with rows moved: all sources are read before any target is written.

    A source of OUT brings `start`, what a fresh row holds.
    """
    return exchange.write(array, moves.target, _taken(array, moves.source, start=start))


def _taken(array: Array, rows: Int32[Array, " moves"], *, start: float = 0.0) -> Array:
    return array.at[rows].get(mode="fill", fill_value=start)


def keep_finite(reads: dict[str, Reads], is_finite: Bool[Array, ""]) -> dict[str, Reads]:
    """The same reads, all of them OUT if the step must change nothing."""
    return {
        name: read._replace(rows=jnp.where(is_finite, read.rows, OUT))
        for name, read in reads.items()
    }
