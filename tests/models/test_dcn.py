"""DCN-v2: the cross by hand, its shapes, and that it learns."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.metrics import roc_auc_score

from recsys.embedding import Unified
from recsys.models import DCN, MODELS
from recsys.optim import Adagrad, Adam, RowTraining
from recsys.spec import from_json, to_json
from recsys.tables import Full
from recsys.tables.base import Context
from recsys.towers import MLP, Cross
from recsys.training import Learner, Recipe
from tests.toy import DIM, SCHEMA, clicks

SPEC = DCN(SCHEMA, Unified(Full(), DIM), cross=2, hidden=(16, 8))


def test_a_cross_layer_by_hand():
    cross = Cross(2, 1, rngs=nnx.Rngs(0))
    layer: Any = cross.layers[0]
    layer.kernel[...] = jnp.array([[1.0, 0.0], [2.0, 1.0]])
    layer.bias[...] = jnp.array([0.5, -1.0])
    # x W + b = (1 + 6 + 0.5, 3 - 1); times x: (7.5, 6); plus x
    np.testing.assert_allclose(cross(jnp.array([[1.0, 3.0]])), [[8.5, 9.0]])


def test_cross_layers_multiply_by_the_first_input():
    cross = Cross(1, 2, rngs=nnx.Rngs(0))
    layers: Any = cross.layers
    for layer in layers:
        layer.kernel[...] = jnp.ones((1, 1))
        layer.bias[...] = jnp.zeros(1)
    # x = 3: 3 * 3 + 3 = 12, then 3 * 12 + 12 = 48
    np.testing.assert_allclose(cross(jnp.array([[3.0]])), [[48.0]])


def test_dense_layers_have_the_widths_that_were_asked_for():
    mlp = MLP(5, (7, 3), rngs=nnx.Rngs(0))
    assert mlp.width == 3
    out = mlp(jnp.ones((2, 5)))
    assert out.shape == (2, 3)
    assert (np.asarray(out) >= 0).all()
    assert MLP(5, (), rngs=nnx.Rngs(0)).width == 5


def test_a_model_gives_one_logit_an_example_and_a_loss():
    model, batch = SPEC.build(rngs=nnx.Rngs(0)), clicks(16)
    logit = model(model.embed(batch), batch)
    assert logit.shape == (16,)
    assert logit.dtype == jnp.float32
    label = np.asarray(batch.label)
    by_hand = np.mean(np.logaddexp(0.0, np.where(label == 1, -logit, logit)))
    np.testing.assert_allclose(
        model.loss(model.embed(batch), batch, Context.still()), by_hand, rtol=1e-5
    )


def test_numbers_are_read():
    model, batch = SPEC.build(rngs=nnx.Rngs(0)), clicks(16)
    other = clicks(16)
    other.numbers[:] += 1.0
    vectors = model.embed(batch)
    assert (np.asarray(model(vectors, batch)) != np.asarray(model(vectors, other))).any()


def test_the_registry_knows_it():
    assert MODELS["dcn"] is DCN


def test_its_spec_survives_json():
    assert from_json(to_json(SPEC)) == SPEC


@pytest.mark.slow
def test_it_learns():
    recipe = Recipe(rows=RowTraining(Adagrad(0.05)), dense=Adam(1e-2))
    learner = Learner(lambda: SPEC.build(rngs=nnx.Rngs(0)), recipe)
    data, test = clicks(64 * 64), clicks(64 * 32, seed=1)
    state = learner.start()
    for number in range(400):
        start = number * 64 % len(data)
        state, _ = learner.step(state, data.take(slice(start, start + 64)))
    assert roc_auc_score(test.label, learner.predict(state, test)) > 0.68
