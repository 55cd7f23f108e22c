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
from typing import Any, NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.features.batch import Batch
from recsys.optim.touched import find_repeats, keep_finite
from recsys.parallel.exchange import Exchange
from recsys.pytree import pytree
from recsys.tables.base import Context, Keys, Row, Rows, addresses
from recsys.training.cached import cached_gradients
from recsys.training.passes import Passes, sum_pass
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


def state_of(model: Any) -> State:
    """The state of a model that trains no more here: what serving and exporting it need."""
    _, rows, params, rest = take_apart(model)
    zero = jnp.int32(0)
    return State(rows, params, rest, {}, (), None, step=zero, skipped=zero, seed=jnp.uint32(0))


class Report(NamedTuple):
    """What a step says of itself."""

    loss: Float[Array, ""]
    grad_norm: Float[Array, ""]  # of all gradients, before clipping
    is_finite: Bool[Array, ""]  # False: the step changed nothing
    is_whole: Bool[Array, ""]  # False: it, or a later pass of it, was not finite and left out


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
    keys, address = read_keys(model, batch)
    return keys, address, _loaded(model, address, exchange)


def read_keys(model: Any, batch: Batch) -> tuple[dict[str, Keys], dict]:
    """The keys of each table, and their addresses."""
    keys, tables = model.embed.keys(batch), model.embed.tables
    return keys, {name: addresses(tables[name], key) for name, key in keys.items()}


def _loaded(model: Any, address: dict, exchange: Exchange) -> dict[str, Rows]:
    """The float rows at their places."""
    tables = model.embed.tables
    stored = {name: exchange.read(tables[name].stored(), own) for name, own in address.items()}
    return {name: tables[name].load(rows) for name, rows in stored.items()}


def loss_and_encoded(
    model: Any, vectors: Any, batch: Batch, context: Context
) -> tuple[Float[Array, ""], Any]:
    """The loss, and the examples' own vectors where a model encodes before it compares."""
    if not hasattr(model, "compare"):
        return model.loss(vectors, batch, context), None
    encoded = model.encode(vectors, batch, context)
    return model.compare(encoded, batch), encoded


def train_step(
    state: State, batch: Batch, *, graph: nnx.GraphDef, recipe: Recipe, exchange: Exchange
) -> tuple[State, Report]:
    """One step on one batch; compile it with the keywords bound, and donate `state`."""
    model = nnx.merge(graph, state.rows, state.params, state.rest)
    tables = model.embed.tables
    context = Context(state.step, state.seed, train=True, everywhere=exchange.everywhere)
    keys, address = read_keys(model, batch)
    reads = {name: find_repeats(address[name], exchange, way=recipe.way) for name in keys}

    def loss_of(params: nnx.State, rows: dict[str, Rows]) -> tuple[Float[Array, ""], Any]:
        model = nnx.merge(graph, state.rows, params, state.rest)
        tables = model.embed.tables
        vectors = {n: tables[n].decode(rows[n], key, context) for n, key in keys.items()}
        vectors = recipe.drop(vectors, context)
        penalties = [tables[n].penalty(rows[n], key, context) for n, key in keys.items()]
        loss, encoded = loss_and_encoded(model, model.embed.split(vectors, keys), batch, context)
        return loss + sum(penalties), encoded

    gradients = jax.value_and_grad(loss_of, argnums=(0, 1), has_aux=True)
    if recipe.cache:
        rows, grads = dict.fromkeys(keys), None  # rows are read again where they learn
        loss, dense, sums, encoded = cached_gradients(
            state.params,
            batch,
            keys,
            address,
            reads,
            graph=graph,
            rest=(state.rows, state.rest),
            recipe=recipe,
            exchange=exchange,
            context=context,
        )
    else:
        rows = _loaded(model, address, exchange)
        (loss, encoded), (dense, grads) = gradients(state.params, rows)
        sums = sum_pass(0, tables, grads, reads, way=recipe.way)
    norm = global_norm(dense, sums)
    is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    report = Report(loss, norm, is_finite, is_finite)
    reads = {name: keep_finite(read, report.is_finite) for name, read in reads.items()}

    passes = Passes(recipe, exchange, context, state.taken, norm)
    slots, latest = dict(state.slots), dict(rows)
    for number in range(max((len(table.passes) for table in tables.values()), default=0)):
        if number > 0:  # a later pass sees the rows as the one before left them
            _, (_, later) = gradients(state.params, latest)
            sums, is_whole = _if_finite(sum_pass(number, tables, later, reads, way=recipe.way))
            report = report._replace(is_whole=report.is_whole & is_whole)
        for t, table in tables.items():
            if number < len(table.passes):
                is_last = number == len(table.passes) - 1
                latest[t], slots[t] = passes.learn(
                    t, table, latest[t], sums[t], slots[t], reads[t], is_last=is_last
                )

    if hasattr(model, "remember"):
        model.remember(encoded, batch, report.is_finite)
    if grads is not None:
        _observe(tables, keys, grads, slots, context, report.is_finite, recipe, exchange)
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


def _if_finite(sums: dict[str, Rows]) -> tuple[dict[str, Rows], Bool[Array, ""]]:
    """The sums, or zeros if they overflow (a pass that went wrong teaches nothing), and which."""
    is_finite = jnp.isfinite(global_norm({}, sums))
    return jax.tree.map(lambda grad: jnp.where(is_finite, grad, 0.0), sums), is_finite


def _observe(
    tables: Any,
    keys: dict[str, Keys],
    grads: dict[str, Rows],
    slots: dict[str, dict[str, dict[str, Array]]],
    context: Context,
    is_finite: Bool[Array, ""],
    recipe: Recipe,
    exchange: Exchange,
) -> None:
    """Lets the tables take note of the step, and moves the rows they name, slots with them."""
    for t, table in tables.items():
        key = dataclasses.replace(keys[t], valid=keys[t].valid & is_finite)
        moves = table.observe(key, grads[t], context)
        slots[t] = recipe.rows.relocate(table, slots[t], moves, exchange)


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
