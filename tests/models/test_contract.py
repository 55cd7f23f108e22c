"""What every ranker of the registry owes: any schema, any layout, any table; and that it learns."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score

from recsys.embedding import Embedding, Unified, Vectors
from recsys.features import Batch
from recsys.features.feature import Kind
from recsys.models import DCN, DLRM, MODELS, DeepFM, FinalMLP, Ranker, RankerSpec, WideDeep
from recsys.optim import Adagrad, Adam, RowTraining
from recsys.spec import from_json, to_json
from recsys.tables import Full
from recsys.tables.base import Context
from recsys.training import Learner, Recipe
from tests.drawn import drawn
from tests.models.schemas import EVERY, LAYOUTS, SCHEMAS, examples, grouped
from tests.tables.examples import EXAMPLES as METHODS
from tests.toy import DIM, SCHEMA, clicks

pytestmark = pytest.mark.slow

LAYOUT = LAYOUTS["grouped"]
EXAMPLES: dict[str, RankerSpec] = {
    "dcn": DCN(EVERY, LAYOUT, cross=2, hidden=(8, 5)),
    "dlrm": DLRM(EVERY, LAYOUT, dim=4, bottom=(6,), top=(8, 5)),
    "deepfm": DeepFM(EVERY, LAYOUT, dim=4, hidden=(8, 5)),
    "wide_deep": WideDeep(EVERY, LAYOUT, hidden=(8, 5)),
    "finalmlp": FinalMLP(
        EVERY, LAYOUT, first=(8, 6), second=(4,), heads=2, first_context=("user", "tags")
    ),
}


BATCH = examples(EVERY)


class Ran(NamedTuple):
    """A fresh ranker, and what it makes of a batch."""

    run: Callable[[Batch], np.ndarray]  # the logits
    logit: np.ndarray
    loss: float
    gradient: dict[str, np.ndarray]  # of each parameter, and of the vectors of each table


@pytest.fixture(scope="module")
def look_up() -> Callable[[Batch], Vectors]:
    """The vectors of a batch, the same ones for all rankers."""
    embed = drawn(lambda: Embedding(EVERY, LAYOUT, rngs=nnx.Rngs(0)))
    return jax.jit(lambda batch: embed(batch))


@pytest.fixture(scope="module", params=EXAMPLES)
def ran(request, look_up) -> Ran:
    """Each ranker, compiled once."""
    spec = EXAMPLES[request.param]
    graph, _, rest = nnx.split(nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0))), nnx.Param, ...)
    params = jax.jit(lambda: nnx.state(spec.build(rngs=nnx.Rngs(0)), nnx.Param))()

    def loss(params: nnx.State, vectors: Vectors, batch: Batch):
        model: Any = nnx.merge(graph, params, rest)
        return model.loss(vectors, batch, Context.still()), model(vectors, batch)

    # Vectors hold keys too, which are whole numbers and have no gradient.
    step = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True, allow_int=True))
    (value, logit), gradient = step(params, look_up(BATCH), BATCH)
    named = {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_flatten_with_path(gradient)[0]
        if leaf.dtype == jnp.float32
    }

    def run(batch: Batch) -> np.ndarray:
        return np.asarray(step(params, look_up(batch), batch)[0][1])

    return Ran(run, np.asarray(logit), float(value), named)


def test_every_ranker_has_an_example():
    assert {name: type(spec) for name, spec in EXAMPLES.items()} == MODELS


def test_the_schema_has_features_of_every_kind():
    assert {feature.kind for feature in EVERY.features} == set(get_args(Kind))


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_spec_survives_json(name):
    assert from_json(to_json(EXAMPLES[name])) == EXAMPLES[name]


def test_the_loss_is_the_weighted_log_loss_of_a_logit_an_example(ran):
    assert ran.logit.shape == (len(BATCH),)
    assert ran.logit.dtype == np.float32
    each = np.logaddexp(0.0, np.where(np.asarray(BATCH.label) == 1, -ran.logit, ran.logit))
    np.testing.assert_allclose(ran.loss, np.average(each, weights=BATCH.weight), rtol=1e-5)


def test_the_gradient_reaches_every_parameter(ran):
    still = [name for name, gradient in ran.gradient.items() if not gradient.any()]
    assert len(ran.gradient) > len(LAYOUT.plans(EVERY))
    assert not still


def test_an_example_does_not_depend_on_its_place(ran):
    order = np.random.default_rng(0).permutation(len(BATCH))
    np.testing.assert_allclose(ran.run(BATCH.take(order)), ran.logit[order], rtol=1e-5, atol=1e-5)


def test_an_example_does_not_depend_on_the_others(ran):
    other, half = examples(EVERY, seed=1), len(BATCH) // 2
    mixed = jax.tree.map(lambda a, b: np.concatenate([a[:half], b[half:]]), BATCH, other)
    np.testing.assert_allclose(ran.run(mixed)[:half], ran.logit[:half], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("feature", [feature.name for feature in EVERY.features])
def test_every_feature_is_read(ran, feature):
    other = examples(EVERY, seed=1)
    if feature not in [f.name for f in EVERY.numeric]:
        span = EVERY.span(feature)
        changed = {n: np.array(getattr(BATCH, n)) for n in ("high", "low", "valid")}
        for name, array in changed.items():
            array[:, span] = np.asarray(getattr(other, name))[:, span]
    else:
        changed = {"numbers": np.array(BATCH.numbers)}
        place = [f.name for f in EVERY.numeric].index(feature)
        changed["numbers"][:, place] += 1.0
    assert (ran.run(dataclasses.replace(BATCH, **changed)) != ran.logit).any()


def shapes(spec: Any) -> Any:
    """Logits of a ranker as shapes: built and traced, not run."""
    batch = examples(spec.schema)

    def run(batch: Batch):
        model = spec.build(rngs=nnx.Rngs(0))
        return model(model.embed(batch), batch)

    return jax.eval_shape(run, batch)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("name", MODELS)
def test_any_schema_will_do(name, schema):
    logit = shapes(MODELS[name](SCHEMAS[schema], LAYOUTS["unified"]))
    assert (logit.shape, logit.dtype) == ((32,), jnp.float32)


@pytest.mark.parametrize("method", METHODS)
def test_any_table_will_do(method):
    """Rankers see vectors and no tables, so that one speaks for all."""
    assert shapes(DLRM(EVERY, grouped(METHODS[method]))).shape == (32,)


def test_numbers_alone_are_trained():
    schema = SCHEMAS["numbers only"]
    spec = DCN(schema, LAYOUTS["unified"], hidden=(8,))
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(0)), Recipe(dense=Adam(0.1)))
    state, batch = learner.start(), examples(schema)
    losses = []
    for _ in range(5):
        state, report = learner.step(state, batch)
        losses.append(float(report.loss))
    assert losses[-1] < losses[0]


def test_a_ranker_that_says_nothing_says_so(look_up):
    model = drawn(lambda: Ranker(EXAMPLES["dcn"], rngs=nnx.Rngs(0)))
    with pytest.raises(TypeError, match="Ranker does not say what it predicts"):
        model(look_up(BATCH), BATCH)


@pytest.mark.parametrize("name", MODELS)
def test_it_learns(name):
    """The toy task, whose clicks are products of features."""
    spec: Any = MODELS[name](SCHEMA, Unified(Full(), DIM))
    recipe = Recipe(rows=RowTraining(Adagrad(0.05)), dense=Adam(1e-2))
    learner = Learner(lambda: spec.build(rngs=nnx.Rngs(0)), recipe)
    data, test = clicks(64 * 64), clicks(64 * 32, seed=1)
    state = learner.start()
    for number in range(400):
        start = number * 64 % len(data)
        state, _ = learner.step(state, data.take(slice(start, start + 64)))
    auc = roc_auc_score(test.label, learner.predict(state, test))
    print(name, auc)
    assert auc > 0.68
