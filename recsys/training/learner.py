"""The learner: a model, a recipe and a mesh made into compiled functions over an explicit state."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from jax.stages import Wrapped
from jaxtyping import Array, Float

from recsys.features.batch import Batch
from recsys.parallel.exchange import Exchange
from recsys.parallel.mesh import make_mesh, split
from recsys.parallel.placement import place, settled, shardings
from recsys.tables.base import Context
from recsys.training.cached import require_cached
from recsys.training.passes import row_noise
from recsys.training.recipe import Recipe
from recsys.training.step import Report, State, read_rows, take_apart, train_step


class Learner:
    """Trains any model that owns an `Embedding` as `embed` and defines `loss(vectors, batch,
    context)`.

        learner = Learner(lambda: Model(rngs=nnx.Rngs(0)), Recipe())
        state = learner.start()
        for batch in batches:
            state, report = learner.step(state, batch)
        model = learner.model(state)

    A model may define `encode(vectors, batch, context)`, each example by itself, and
    `compare(encoded, batch)` in place of the loss alone: then `remember(encoded, batch, is_good)`
    is called after each step, and with `compare_in_chunks` `Recipe(cache=...)` makes large batches
    fit.

    The state given to `step` is donated: use the one that comes back.

    Args:
        model: a function that builds the model, so that each device makes only its share of the
            tables; or a model, whose arrays are copied at the start.
        recipe: how it learns.
        mesh: the devices; the first device alone by default.
    """

    def __init__(
        self,
        model: nnx.Module | Callable[[], nnx.Module],
        recipe: Recipe | None = None,
        mesh: Mesh | None = None,
    ):
        self.recipe = recipe or Recipe()
        self.mesh = mesh or make_mesh(jax.devices()[:1])
        self.exchange = Exchange(self.mesh)
        self._model = model
        abstract: Any = model if isinstance(model, nnx.Module) else nnx.eval_shape(model)
        require_cached(abstract, self.recipe)
        self.graph = take_apart(abstract)[0]
        self.periods = {
            t: table.period for t, table in abstract.embed.tables.items() if table.period
        }
        bound = functools.partial(
            train_step, graph=self.graph, recipe=self.recipe, exchange=self.exchange
        )
        self.layout = shardings(jax.eval_shape(self.fresh), self.mesh)
        self.compiled_step: Wrapped = jax.jit(
            bound, donate_argnums=0, out_shardings=(self.layout, None)
        )
        self._latest: tuple[Any, int] = (None, 0)  # the step of the state given last: array, number
        self._fresh = jax.jit(self.fresh, out_shardings=self.layout)
        self._predict = jax.jit(self._logits)
        self._average = jax.jit(self._averaged_rows)
        self._maintain = jax.jit(
            self._maintained, donate_argnums=0, static_argnums=1, out_shardings=self.layout
        )

    def start(self) -> State:
        """The state before the first step, on the mesh."""
        is_built = isinstance(self._model, nnx.Module)
        return settled(place(self.fresh(), self.layout) if is_built else self._fresh())

    def step(self, state: State, batch: Batch) -> tuple[State, Report]:
        """One step of training, and the tables' own work on the whole table where it is due."""
        number = self._number(state) + 1 if self.periods else 0
        state, report = self.compiled_step(state, self.put(batch))
        due = tuple(t for t, period in self.periods.items() if number % period == 0)
        if due:
            state = self._maintain(state, due)
        self._latest = (state.step, number)
        return state, report

    def _number(self, state: State) -> int:
        """Steps of a state; of the one that came last without waiting for the device."""
        array, number = self._latest
        return number if array is state.step else int(state.step)

    def predict(self, state: State, batch: Batch) -> Float[Array, " batch"]:
        """The model's answer for each example."""
        return self._predict(state.rows, state.params, state.rest, self.put(batch))

    def model(self, state: State) -> Any:
        """The model with what was learned."""
        return nnx.merge(self.graph, state.rows, state.params, state.rest)

    def averaged(self, state: State) -> State:
        """The state with rows and params replaced by their moving averages (`RowTraining.average`).

        Raises:
            ValueError: the recipe keeps no average, or nothing was learned yet.
        """
        if not self.recipe.rows.average:
            raise ValueError(
                "This recipe keeps no average: set RowTraining(average=...), as 0.999."
            )
        if not int(state.taken):
            raise ValueError("An average wants at least one step, got none: train first.")
        params = optax.tree.bias_correction(state.average, self.recipe.rows.average, state.taken)
        return dataclasses.replace(state, rows=self._average(state), params=params)

    def put(self, batch: Batch) -> Batch:
        """The batch on the mesh, split by example; of several processes, each gives its share.

        Raises:
            TypeError: an array has the wrong type, as int64 ids.
            ValueError: the devices cannot share the examples out.
        """
        wanted = split(self.mesh)
        if getattr(batch.label, "sharding", None) == wanted:
            return batch  # it is there already, and to ask JAX for it takes time
        count, devices = len(batch.label), len(self.mesh.local_devices)
        if count % devices:
            raise ValueError(
                f"A batch is split over {devices} devices, got {count} examples: "
                f"use a batch size that {devices} divides."
            )
        batch.check()
        if jax.process_count() == 1:
            return jax.device_put(batch, wanted)
        return jax.tree.map(
            functools.partial(jax.make_array_from_process_local_data, wanted), batch
        )

    def fresh(self) -> State:
        """The state before the first step, wherever JAX puts it."""
        model: Any = self._model if isinstance(self._model, nnx.Module) else self._model()
        _, rows, params, rest = take_apart(model)
        zeros = jax.tree.map(jnp.zeros_like, params)
        return State(
            rows=rows,
            params=params,
            rest=rest,
            slots={t: self.recipe.rows.start(table) for t, table in model.embed.tables.items()},
            dense=self.recipe.dense_optimizer.init(params),
            average=zeros if self.recipe.rows.average else None,
            step=jnp.int32(0),
            skipped=jnp.int32(0),
            seed=jnp.uint32(np.uint32(self.recipe.seed)),
        )

    def _logits(self, rows: nnx.State, params: nnx.State, rest: nnx.State, batch: Batch):
        model = nnx.merge(self.graph, rows, params, rest)
        keys, _, read = read_rows(model, batch, self.exchange)
        context = Context.still()
        tables = model.embed.tables
        vectors = {n: tables[n].decode(read[n], key, context) for n, key in keys.items()}
        return model(model.embed.split(vectors, keys), batch)

    def _maintained(self, state: State, due: tuple[str, ...]) -> State:
        model = self.model(state)
        context = Context(step=state.step, seed=state.seed, train=True)
        slots = dict(state.slots)
        for t in due:
            table = model.embed.tables[t]
            moves = table.maintain(context)
            slots[t] = self.recipe.rows.relocate(table, slots[t], moves, self.exchange)
        _, rows, params, rest = take_apart(model)
        return dataclasses.replace(state, rows=rows, params=params, rest=rest, slots=slots)

    def _averaged_rows(self, state: State) -> nnx.State:
        model = self.model(state)
        context = Context(step=state.step, seed=state.seed, train=False)
        for t, table in model.embed.tables.items():
            rows = self.recipe.rows.averaged(table, state.slots[t], state.taken)
            at = {name: jnp.arange(len(row), dtype=jnp.int32) for name, row in rows.items()}
            for a, value in table.store(rows, row_noise(t, at, rows, context)).items():
                table.rows[a].set_value(value)
        return take_apart(model)[1]
