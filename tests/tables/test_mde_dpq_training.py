"""MDE and DPQ in training: they learn, and lose when what defines them is switched off."""

import dataclasses
from collections.abc import Callable, Hashable

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score

from recsys.embedding import Unified
from recsys.features import Batch, Feature, Schema
from recsys.optim import RowTraining, RowwiseAdagrad
from recsys.parallel.mesh import make_mesh
from recsys.tables import DPQ, MDE
from recsys.tables.dpq import DPQTable
from recsys.training import Learner, Recipe, State
from tests.toy import LAYOUTS, Toy, clicks

pytestmark = pytest.mark.slow

RECIPE = Recipe(rows=RowTraining(RowwiseAdagrad(0.1)), dense=optax.adam(1e-2))
NARROW = MDE(alpha=1.0, base=4.0)  # widths 2, 2 and 4 for the toy task
CODED = DPQ(parts=4, centroids=16)
TEST = clicks(4096, seed=1)


class Blind(DPQ):
    """DPQ with its mechanism off: no gradient reaches the queries through a code."""

    def build(self, dim, fields, *, rngs):
        table = super().build(dim, fields, rngs=rngs)
        return BlindTable(self, _opened(table), table.codebook[...], keys=_values(table.keys))


class BlindTable(DPQTable):
    """The table of Blind."""

    def decode(self, rows, key, context):
        return super().decode(jax.lax.stop_gradient(rows), key, context)


def _opened(table: DPQTable):
    """The inner table with its rows."""
    inner = nnx.clone(table.inner)
    inner.rows = nnx.Dict({"weight": table.rows["query"]})
    return inner


def _values(param: nnx.Param | None):
    return None if param is None else param[...]


def train(learner: Learner, data: Batch, *, steps: int, batch: int = 64) -> State:
    state = learner.start()
    for number in range(steps):
        at = np.arange(number * batch, (number + 1) * batch) % len(data)
        state, _ = learner.step(state, data.take(at))
    return state


def auc(learner: Learner, state: State, data: Batch = TEST) -> float:
    return float(roc_auc_score(data.label, np.asarray(learner.predict(state, data))))


def held(name: str) -> Recipe:
    """The recipe with the dense parameters of a name left as they started."""

    def label(params):
        return jax.tree_util.tree_map_with_path(
            lambda path, _: "held" if name in jax.tree_util.keystr(path) else "free", params
        )

    kinds: dict[Hashable, optax.GradientTransformation] = {
        "held": optax.set_to_zero(),
        "free": optax.adam(1e-2),
    }
    return dataclasses.replace(RECIPE, dense=optax.multi_transform(kinds, label))


def reached(method: DPQ, recipe: Recipe = RECIPE) -> float:
    """The AUC of the toy task."""
    learner = Learner(Toy(Unified(method, 8)), recipe)
    return auc(learner, train(learner, clicks(8192), steps=256))


def schema(users: int, items: int, tags: int) -> Schema:
    """The features that the toy model knows, tags with one value."""
    sizes = {"user": users, "item": items, "tags": tags}
    tables = [Feature(name, values=values) for name, values in sizes.items()]
    return Schema((*tables, Feature("hour", kind="numeric")))


def drawn(asked: Schema, count: int, *, seed: int, logit: Callable[..., np.ndarray]) -> Batch:
    """Values drawn at random, and clicks of the given odds."""
    draws = np.random.default_rng(seed)
    values = {f.name: draws.integers(0, f.values or 0, count) for f in asked.categorical}
    clicked = draws.random(count) < 1 / (1 + np.exp(-logit(**values)))
    return asked.encode({**values, "hour": np.zeros(count), "label": clicked})


def reached_on(
    method: MDE, asked: Schema, recipe: Recipe, logit: Callable[..., np.ndarray]
) -> float:
    """The AUC of the toy model on new draws."""
    learner = Learner(Toy(Unified(method, 8), schema=asked), recipe)
    state = train(learner, drawn(asked, 16_384, seed=0, logit=logit), steps=384, batch=128)
    return auc(learner, state, drawn(asked, 4096, seed=1, logit=logit))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mde_learns_and_every_array_moves(layout):
    learner = Learner(Toy(LAYOUTS[layout](NARROW)), RECIPE)
    start, state = learner.start(), train(learner, clicks(8192), steps=256)
    assert auc(learner, start) < 0.6
    assert auc(learner, state) > 0.7
    for name, table in learner.model(state).embed.tables.items():
        before = learner.model(start).embed.tables[name]
        assert len(table.matrices) == len(table.fields)
        moving = [(table.rows[array], before.rows[array]) for array in table.heights]
        moving += [(table.matrices[number], before.matrices[number]) for number in table.matrices]
        for after, first in moving:
            assert np.abs(np.asarray(after[...]) - np.asarray(first[...])).max() > 0.01


@pytest.mark.parametrize("mode", ["vq", "sx"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dpq_learns_and_every_array_moves(layout, mode):
    method = dataclasses.replace(CODED, mode=mode)
    learner = Learner(Toy(LAYOUTS[layout](method)), RECIPE)
    start, state = learner.start(), train(learner, clicks(8192), steps=256)
    assert auc(learner, start) < 0.6
    assert auc(learner, state) > (0.7 if mode == "vq" else 0.64)
    for name, table in learner.model(state).embed.tables.items():
        before = learner.model(start).embed.tables[name]
        moving = [(table.rows["query"], before.rows["query"]), (table.codebook, before.codebook)]
        moving += [(table.keys, before.keys)] if mode == "sx" else []
        for after, first in moving:
            assert np.abs(np.asarray(after[...]) - np.asarray(first[...])).max() > 0.01
        served = table.freeze()
        codes = np.asarray(table.codes(table.rows["query"][...]))[: table.heights["query"]]
        assert len(np.unique(codes)) > 8, "few centroids are in use"
        np.testing.assert_array_equal(np.asarray(served.load(served.stored())["codes"]), codes)


@pytest.mark.parametrize("method", [NARROW, CODED], ids=["mde", "dpq"])
def test_one_step_is_the_same_on_one_and_on_eight_devices(method):
    ends = []
    for devices in (1, 8):
        learner = Learner(Toy(Unified(method, 8)), RECIPE, make_mesh(jax.devices()[:devices]))
        ends.append(learner.model(train(learner, clicks(64), steps=1)).embed.tables["unified"])
    for (path, one), (_, eight) in zip(
        *(nnx.to_flat_state(nnx.state(e)) for e in ends), strict=True
    ):
        np.testing.assert_allclose(one[...], eight[...], rtol=1e-5, atol=1e-5, err_msg=str(path))
    one, eight = (end.freeze().stored() for end in ends)
    for name in one:
        np.testing.assert_allclose(one[name], eight[name], rtol=1e-5, atol=1e-5)


def test_mixed_widths_beat_one_width_of_more_bytes():
    """Two small features need whole vectors, and a large one needs a number a value."""
    mixed, uniform = MDE(alpha=0.6), MDE(alpha=0.0, base=2.0)
    asked, planted = schema(40, 40, 2000), np.random.default_rng(7)
    fields = Unified(mixed, 8).plans(asked)["unified"].fields
    assert mixed.widths(8, fields) == (8, 8, 1)
    assert uniform.widths(8, fields) == (2, 2, 2)
    assert mixed.table_bytes(8, fields) < uniform.table_bytes(8, fields)
    users, items, bias = (planted.normal(size=shape) for shape in ((40, 8), (40, 8), (2000,)))

    def logit(user, item, tags):
        return (users[user] * items[item]).sum(axis=1) + bias[tags]

    narrow = reached_on(uniform, asked, RECIPE, logit)
    assert reached_on(mixed, asked, RECIPE, logit) > narrow + 0.05


def test_matrices_that_stay_as_they_started_lose():
    """Users see two coordinates of an item and tags two others: each needs its own matrix."""
    method, asked, planted = MDE(alpha=0.6), schema(200, 20, 200), np.random.default_rng(7)
    assert method.widths(8, Unified(method, 8).plans(asked)["unified"].fields) == (2, 8, 2)
    users, items, tagged = (planted.normal(size=shape) for shape in ((200, 2), (20, 4), (200, 2)))

    def logit(user, item, tags):
        seen = items[item]
        return 1.5 * ((users[user] * seen[:, :2]) + (tagged[tags] * seen[:, 2:])).sum(axis=1)

    still = reached_on(method, asked, held("matrices"), logit)
    assert reached_on(method, asked, RECIPE, logit) > still + 0.05


def test_a_codebook_that_stays_at_random_loses():
    assert reached(CODED) > reached(CODED, held("codebook")) + 0.05


@pytest.mark.parametrize("mode", ["vq", "sx"])
def test_queries_without_a_gradient_through_their_codes_lose(mode):
    method = dataclasses.replace(CODED, mode=mode)
    blind = Blind(parts=4, centroids=16, mode=mode)
    assert reached(method) > reached(blind) + 0.05
