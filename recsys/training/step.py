"""The train step, the same for every method. Read this first.

    keys    = what each table is asked                 (the multiplexer)
    address = which rows of which array they read      (the table)
    rows    = those rows, as floats, at their places   (the exchange, then the table's codec)
    vectors = decode(rows), loss = model(vectors)      (differentiated with respect to rows and
    Params) row gradients are summed over repeats, touched rows updated with their slots, stored
    and written back; the tables take note (`observe`) and may move rows; Params are updated by
    optax.

Its cost grows with the batch, never with the vocabulary, and it is plain `jax.jit` with donated
state.
"""

import dataclasses
import functools
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.features.batch import Batch
from recsys.features.hashing import salt, uniform
from recsys.optim.touched import (
    Cut,
    Reads,
    find_repeats,
    in_blocks,
    keep_finite,
    move,
    sum_repeats,
    trained,
)
from recsys.parallel.exchange import Exchange
from recsys.pytree import pytree
from recsys.tables.base import Context, EmbeddingTable, Keys, Noise, Row, Rows, addresses
from recsys.training.recipe import Recipe


@no_type_check  # at run time: JAX also fills it with shapes and shardings
@pytree
@dataclasses.dataclass(frozen=True)
class State:
    """All that training changes."""

    rows: nnx.State  # stored arrays, split over the mesh
    params: nnx.State  # dense parameters
    rest: nnx.State  # what tables keep beside: sketches, thresholds, choices
    slots: dict[str, dict[str, dict[str, Array]]]  # table -> array -> slot, split like the rows
    dense: Any  # optax state
    average: Any  # moving average of params, or None
    step: Int32[Array, ""]  # batches seen
    skipped: Int32[Array, ""]  # of them, those whose loss or gradient was not finite
    seed: UInt32[Array, ""]

    @property
    def taken(self) -> Int32[Array, ""]:
        """Steps that changed something: the time that optimizers, averages and warm-up go by."""
        return self.step - self.skipped


class Report(NamedTuple):
    """What a step says of itself."""

    loss: Float[Array, ""]
    grad_norm: Float[Array, ""]  # of all gradients, before clipping
    is_finite: Bool[Array, ""]  # False: the step changed nothing


def take_apart(model: nnx.Module) -> tuple[nnx.GraphDef, nnx.State, nnx.State, nnx.State]:
    """The structure, the rows, the params and the rest: a variable's type decides how it is
    treated.
    """
    graph, rows, params, rest = nnx.split(model, Row, nnx.Param, ...)
    return graph, rows, params, rest


def read_rows(
    model: Any, batch: Batch, exchange: Exchange
) -> tuple[dict[str, Keys], dict, dict[str, Rows]]:
    """The keys of each table, their addresses, and the float rows at their places."""
    keys = model.embed.keys(batch)
    tables = model.embed.tables
    address = {name: addresses(tables[name], key) for name, key in keys.items()}
    stored = {name: exchange.read(tables[name].stored(), address[name]) for name in keys}
    return keys, address, {name: tables[name].load(rows) for name, rows in stored.items()}


def train_step(
    state: State, batch: Batch, *, graph: nnx.GraphDef, recipe: Recipe, exchange: Exchange
) -> tuple[State, Report]:
    """One step on one batch; compile it with the keywords bound, and donate `state`."""
    model = nnx.merge(graph, state.rows, state.params, state.rest)
    tables = model.embed.tables
    context = Context(state.step, state.seed, train=True, everywhere=exchange.everywhere)
    keys, address, rows = read_rows(model, batch, exchange)
    reads = {name: find_repeats(address[name], exchange, way=recipe.way) for name in keys}

    def loss_of(params: nnx.State, rows: dict[str, Rows]) -> Float[Array, ""]:
        model = nnx.merge(graph, state.rows, params, state.rest)
        tables = model.embed.tables
        vectors = {n: tables[n].decode(rows[n], key, context) for n, key in keys.items()}
        vectors = recipe.drop(vectors, context)
        penalties = [tables[n].penalty(rows[n], key, context) for n, key in keys.items()]
        return model.loss(model.embed.split(vectors, keys), batch, context) + sum(penalties)

    gradients = jax.value_and_grad(loss_of, argnums=(0, 1))
    loss, (dense, grads) = gradients(state.params, rows)
    sums = _sum(tables, grads, reads, recipe, number=0)
    norm = global_norm(dense, sums)
    report = Report(loss, norm, jnp.isfinite(loss) & jnp.isfinite(norm))
    reads = {name: keep_finite(read, report.is_finite) for name, read in reads.items()}

    learn = functools.partial(_learn, state=state, recipe=recipe, exchange=exchange, norm=norm)
    slots = {t: dict(own) for t, own in state.slots.items()}
    latest = rows
    for number in range(max(len(table.passes) for table in tables.values())):
        if number > 0:  # a later pass sees the rows as the one before left them
            _, (_, later) = gradients(state.params, latest)
            sums = _if_finite(_sum(tables, later, reads, recipe, number=number))
        latest = dict(latest)
        for t, table in tables.items():
            is_last = number == len(table.passes) - 1
            if number < len(table.passes):
                latest[t] = learn(t, table, latest[t], sums[t], slots[t], reads[t], is_last=is_last)

    _observe(tables, keys, grads, slots, context, report.is_finite, exchange)
    params, opt, average = _update_dense(state, dense, recipe, report)
    _, rows_state, _, rest = take_apart(model)
    state = State(
        rows=rows_state,
        params=params,
        rest=rest,
        slots=slots,
        dense=opt,
        average=average,
        step=state.step + 1,
        skipped=state.skipped + ~report.is_finite,
        seed=state.seed,
    )
    return state, report


def _sum(
    tables: Any,
    grads: dict[str, Rows],
    reads: dict[str, dict[str, Reads]],
    recipe: Recipe,
    *,
    number: int,
) -> dict[str, Rows]:
    """The summed gradients of the arrays that pass `number` trains."""
    return {
        t: sum_repeats({a: grads[t][a] for a in trained(table, number)}, reads[t], way=recipe.way)
        for t, table in tables.items()
    }


def _if_finite(sums: dict[str, Rows]) -> dict[str, Rows]:
    """The sums, or zeros if they overflow: a later pass that went wrong teaches nothing."""
    is_finite = jnp.isfinite(global_norm({}, sums))
    return jax.tree.map(lambda grad: jnp.where(is_finite, grad, 0.0), sums)


def _learn(
    name: str,
    table: EmbeddingTable,
    rows: Rows,
    sums: Rows,
    slots: dict[str, dict[str, Array]],
    reads: dict[str, Reads],
    *,
    is_last: bool,
    state: State,
    recipe: Recipe,
    exchange: Exchange,
    norm: Float[Array, ""],
) -> Rows:
    """One pass over a table: updates the touched rows and slots, and stores them in the last pass.

    Returns the rows at their places as the next pass shall see them; after the last, as they were.
    """
    flat = {a: row.reshape(-1, row.shape[-1]) for a, row in rows.items()}
    context = Context(step=state.step, seed=state.seed, train=True)
    after = dict(rows)

    def train(names: list[str], cut: Cut, slots: dict) -> tuple[Rows, dict]:
        """The float rows of a block after the update, and all slots."""
        own = {a: flat[a][cut(reads[a].first)] for a in names}
        slots = dict(slots)
        for a in sums.keys() & own.keys():
            grad = cut(sums[a])
            own[a], slots[a] = recipe.rows.update(
                own[a],
                grad * recipe.clip(norm) if recipe.clip_norm else grad,
                slots[a],
                at=cut(reads[a].rows),
                rate=jnp.float32(table.rate(a)) * recipe.rate(state.taken),
                step=state.taken + 1,
                exchange=exchange,
            )
        return own, slots

    for names in _groups(reads):
        theirs = {a: slots[a] for a in names if a in slots}
        if not is_last:
            own, theirs = train(names, lambda array: array, theirs)
            for a in names:
                after[a] = own[a][reads[a].rank].reshape(rows[a].shape)
        else:

            def settle(cut: Cut, carry: tuple, names: list[str] = names) -> tuple:
                stored, slots = carry
                own, slots = train(names, cut, slots)
                at = {a: cut(reads[a].rows) for a in names}
                kept = table.store(own, row_noise(name, at, own, context))
                new = {a: exchange.write(stored[a], at[a], value) for a, value in kept.items()}
                return stored | new, slots

            stored = {a: table.rows[a][...] for a in names}
            carry = (stored, theirs)
            stored, theirs = in_blocks(settle, carry, reads=reads[names[0]], exchange=exchange)
            for a in names:
                table.rows[a][...] = stored[a]
        slots.update(theirs)
    return after


def _groups(reads: dict[str, Reads]) -> list[list[str]]:
    """The arrays of a table by the addresses they share."""
    groups: dict[int, list[str]] = {}
    for name, read in reads.items():
        groups.setdefault(id(read.first), []).append(name)
    return list(groups.values())


def _observe(
    tables: Any,
    keys: dict[str, Keys],
    grads: dict[str, Rows],
    slots: dict[str, dict[str, dict[str, Array]]],
    context: Context,
    is_finite: Bool[Array, ""],
    exchange: Exchange,
) -> None:
    """Lets the tables take note of the step, and moves the rows they name, slots with them."""
    for t, table in tables.items():
        key = dataclasses.replace(keys[t], valid=keys[t].valid & is_finite)
        for a, moves in table.observe(key, grads[t], context).items():
            table.rows[a][...] = move(table.rows[a][...], moves, exchange)
            if a in slots[t]:  # an array that no optimizer trains has none
                slots[t][a] = {n: move(s, moves, exchange) for n, s in slots[t][a].items()}


def _update_dense(
    state: State, grads: nnx.State, recipe: Recipe, report: Report
) -> tuple[nnx.State, Any, Any]:
    """Params, optax state and average after the step; as they were if the step was not finite."""
    clip, rate = recipe.clip(report.grad_norm), recipe.rate(state.taken)
    grads = jax.tree.map(lambda g: g * clip, grads)
    updates, opt = recipe.dense_optimizer.update(grads, state.dense, state.params)
    params = optax.apply_updates(state.params, jax.tree.map(lambda u: u * rate, updates))
    average = state.average
    if recipe.rows.average:
        average = optax.incremental_update(params, average, 1 - recipe.rows.average)

    def keep(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda n, o: jnp.where(report.is_finite, n, o), new, old)

    return keep(params, state.params), keep(opt, state.dense), keep(average, state.average)


def global_norm(dense: Any, sums: dict[str, Rows]) -> Float[Array, ""]:
    """The norm of all gradients; by row first: row-wise optimizers need those sums too."""
    by_row = [jnp.sum(jnp.sum(g * g, axis=-1)) for own in sums.values() for g in own.values()]
    return jnp.sqrt(sum(by_row) + optax.tree.norm(dense, squared=True))


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
