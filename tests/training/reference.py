"""The slow reference of the train step: autodiff over whole tables, and every row of them updated.

Nothing is addressed but by a dense gather, and no repeat is ever found: autodiff sums them. With
an optimizer that leaves a row without a gradient alone (SGD, both Adagrads) the real step must
agree.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Bool

from recsys.features import Batch
from recsys.optim.rowwise import Touch
from recsys.optim.touched import trained
from recsys.tables.base import Context, EmbeddingTable, Moves, read
from recsys.training import Learner, State
from recsys.training.passes import row_noise
from recsys.training.step import take_apart

CLOSE = 1e-5
Whole = dict[str, dict[str, Array]]  # table -> array -> something as tall as the array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Expected:
    """What a step should leave behind."""

    rows: Whole  # stored
    lowest: Whole  # stored, of float rows a little smaller: codes may differ next to a boundary
    highest: Whole  # and a little larger
    slots: dict[str, Any]
    params: nnx.State
    rest: nnx.State
    touched: Whole  # rows that a key read, or that moved
    grad_norm: Array


class Reference:
    """The step of a learner, slowly; compiled once."""

    def __init__(self, learner: Learner):
        self.learner = learner
        self._step = jax.jit(self._dense)

    def step(self, state: State, batch: Batch) -> Expected:
        """What one step from this state should leave behind; the state is not donated."""
        return self._step(state, self.learner.put(batch))

    def _dense(self, state: State, batch: Batch) -> Expected:
        recipe, graph = self.learner.recipe, self.learner.graph
        model = nnx.merge(graph, state.rows, state.params, state.rest)
        tables = model.embed.tables
        context = Context(step=state.step, seed=state.seed, train=True)
        keys = model.embed.keys(batch)
        address = {t: tables[t].address(key) for t, key in keys.items()}
        stored = {t: tables[t].stored() for t in keys}
        exact = {t: dict(tables[t].load(rows)) for t, rows in stored.items()}
        nudge = jax.tree.map(jnp.zeros_like, {t: read(exact[t], address[t]) for t in keys})

        def loss_of(params: nnx.State, exact: Whole, nudge: Whole) -> Array:
            model = nnx.merge(graph, state.rows, params, state.rest)
            at = {t: jax.tree.map(jnp.add, read(exact[t], address[t]), nudge[t]) for t in keys}
            tables = model.embed.tables
            vectors = {t: tables[t].decode(at[t], key, context) for t, key in keys.items()}
            penalties = [tables[t].penalty(at[t], key, context) for t, key in keys.items()]
            return model.loss(model.embed.split(vectors, keys), batch, context) + sum(penalties)

        slots = {t: dict(own) for t, own in state.slots.items()}
        grad_of = jax.grad(loss_of, argnums=(0, 1, 2))
        first: Any = None
        for number in range(max(len(table.passes) for table in tables.values())):
            dense, whole, at_places = grad_of(state.params, exact, nudge)
            names = {t: trained(table, number) for t, table in tables.items()}
            chosen = {t: {a: whole[t][a] for a in own} for t, own in names.items()}
            first = first or (dense, at_places, optax.tree.norm((dense, chosen)))
            clip = recipe.clip(first[2])  # later passes are clipped as the first is
            for t, own in names.items():
                for a in own:
                    rate = jnp.float32(tables[t].rate(a)) * recipe.rate(state.step)
                    age = jnp.ones((len(exact[t][a]), 1))
                    touch = Touch(rate, state.step + 1, age)
                    change, slots[t][a] = recipe.rows.optimizer.update(
                        whole[t][a] * clip, slots[t][a], touch
                    )
                    exact[t][a] = exact[t][a] + change
        dense, at_places, norm = first
        touched = {t: _reads(stored[t], address[t]) for t in keys}
        rows, lowest, highest = (
            {t: _stored(tables[t], t, exact[t], touched[t], context, nudge) for t in keys}
            for nudge in (0.0, -CLOSE, CLOSE)
        )
        for t, table in tables.items():
            noted = table.observe(keys[t], at_places[t], context)
            for stage in (rows, lowest, highest):
                stage[t] = _relocated(table, stage[t], noted)
            for a, moves in noted.items():
                slots[t][a] = {n: _moved(slot, moves) for n, slot in slots[t].get(a, {}).items()}
                touched[t][a] = _marked(_marked(touched[t][a], moves.source), moves.target)
        grads = jax.tree.map(lambda g: g * recipe.clip(norm), dense)
        updates, _ = recipe.dense_optimizer.update(grads, state.dense, state.params)
        _, _, _, rest = take_apart(model)
        params: Any = optax.apply_updates(state.params, updates)
        return Expected(rows, lowest, highest, slots, params, rest, touched, norm)


def _reads(stored: dict[str, Array], address: dict[str, Array]) -> dict[str, Array]:
    nobody = {a: jnp.zeros(len(array), bool) for a, array in stored.items()}
    return {
        a: _marked(nobody[a], address[a].reshape(-1)) if a in address else nobody[a] for a in stored
    }


def _marked(mask: Bool[Array, " rows"], rows: Array) -> Bool[Array, " rows"]:
    return mask.at[rows].set(True, mode="drop")


def _stored(
    table: EmbeddingTable,
    name: str,
    exact: dict[str, Array],
    touched: dict[str, Array],
    context: Context,
    nudge: float,
) -> dict[str, Array]:
    """What the table's codec makes of the touched rows; a row that nobody read is not stored anew.

    Args:
        nudge: moves trained rows that are not stored as float32, by this share of their largest
            entry.
    """
    old = table.stored()
    learned = {a for number in range(len(table.passes)) for a in trained(table, number)}
    every = {a: jnp.arange(len(rows), dtype=jnp.int32) for a, rows in exact.items()}
    noise = row_noise(name, every, exact, context)
    nudged = {
        a: rows
        if old[a].dtype == jnp.float32 or a not in learned
        else rows + nudge * jnp.max(jnp.abs(rows), axis=1, keepdims=True)
        for a, rows in exact.items()
    }
    new = table.store(nudged, noise)
    return {a: jnp.where(touched[a][:, None], new[a], old[a]) if a in new else old[a] for a in old}


def _relocated(
    table: EmbeddingTable, stored: dict[str, Array], noted: dict[str, Moves]
) -> dict[str, Array]:
    """The arrays with their rows moved, one array after another."""
    taken = read(stored, {a: moves.source for a, moves in noted.items()})
    plus = {a: moves.plus for a, moves in noted.items() if moves.plus is not None}
    if plus:
        taken |= table.added({a: taken[a] for a in plus}, read(stored, plus))
    moved = {a: stored[a].at[m.target].set(taken[a], mode="drop") for a, m in noted.items()}
    return stored | moved


def _moved(array: Array, moves: Moves) -> Array:
    taken = array.at[moves.source].get(mode="fill", fill_value=0)
    return array.at[moves.target].set(taken, mode="drop")
