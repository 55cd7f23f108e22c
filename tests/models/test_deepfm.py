"""DeepFM against its sum, term by term."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import DeepFM
from recsys.tables import Full
from tests.drawn import drawn, linear, relu
from tests.models.schemas import EVERY, LAYOUTS

SCHEMA = Schema(
    (
        Feature("a", values=9),
        Feature("b", values=9),
        Feature("x", kind="numeric"),
        Feature("y", kind="numeric"),
    )
)
COLUMNS = {"a": [1, 2, 3], "b": [4, 4, 5], "x": [0.5, -1.0, 2.0], "y": [1.0, 0.0, -3.0]}


@pytest.fixture(scope="module")
def model() -> Any:
    """Products of width 3 over vectors of 5."""
    spec = DeepFM(SCHEMA, Unified(Full(), 5), dim=3, hidden=(4,))
    return drawn(lambda: spec.build(rngs=nnx.Rngs(0)))


@pytest.mark.slow
def test_a_logit_by_hand(model):
    batch = SCHEMA.encode(COLUMNS)
    vectors = model.embed(batch)
    a, b = np.asarray(vectors["a"]), np.asarray(vectors["b"])
    x = np.concatenate([a, b, batch.numbers], axis=1)
    maps, scaled = np.asarray(model.stack.maps[0][...]), np.asarray(model.scaled.vectors[...])
    numbers = [np.outer(batch.numbers[:, place], scaled[place]) for place in (0, 1)]
    pairs = itertools.combinations([a @ maps[0], b @ maps[1], *numbers], 2)
    products = sum(np.sum(one * other, axis=1) for one, other in pairs)
    deep = linear(model.head, relu(model.deep.layers[0], x))
    expected = (linear(model.linear, x) + deep)[:, 0] + products
    np.testing.assert_allclose(model(vectors, batch), expected, rtol=1e-5, atol=1e-5)


def test_a_narrower_width_leaves_directions_of_a_vector_to_the_linear_term(model):
    """There a vector can move without any product changing: the value's own weight."""
    rng = np.random.default_rng(0)
    before = {n: jnp.asarray(rng.normal(size=(2, 5)), jnp.float32) for n in ("a", "b")}
    free = np.linalg.svd(np.asarray(model.stack.maps[0][...][0]).T)[2][-1]  # is mapped to nothing
    after = {**before, "a": before["a"] + jnp.asarray(free)[None]}
    none = jnp.zeros((2, 0, 3))
    np.testing.assert_allclose(
        model.stack(after, none), model.stack(before, none), rtol=1e-5, atol=1e-5
    )
    assert abs(free @ np.asarray(model.linear.kernel[...])[:5, 0]) > 1e-3


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"dim": -1}, "DeepFM wants a dim of at least 1"), ({"hidden": (0,)}, "DeepFM wants hidden")],
)
def test_sizes_that_cannot_be_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        DeepFM(EVERY, LAYOUTS["unified"], **wrong)
