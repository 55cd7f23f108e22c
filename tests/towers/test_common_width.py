"""Features of any width as one stack, and which of them go through a map."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import Array

from recsys.embedding import Embedding, Group, Grouped, Layout, PerFeature, Unified
from recsys.features import Feature, Schema
from recsys.tables import Hash
from recsys.towers import CommonWidth, NumberVectors
from tests.drawn import drawn

SCHEMA = Schema(
    (Feature("a"), Feature("b", lookups=2), Feature("c"), Feature("d", kind="bag", length=2))
)
TABLE = Hash(rows=64)
MIXED = Grouped(
    (
        Group(("a", "b"), PerFeature(TABLE, 4)),
        Group(("c",), Unified(TABLE, 3)),
        Group(("d",), Unified(TABLE, 4)),
    )
)
NOTHING = jnp.zeros((2, 0, 4))


def stack(layout: Layout, dim: int | None = None) -> Any:
    def build() -> CommonWidth:
        rngs = nnx.Rngs(0)
        return CommonWidth(Embedding(SCHEMA, layout, rngs=rngs), dim, rngs=rngs)

    return drawn(build)


def vectors(**widths: int) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {n: jnp.asarray(rng.normal(size=(2, w)), jnp.float32) for n, w in widths.items()}


def test_the_width_is_that_of_the_widest_unless_one_is_asked_for():
    assert stack(MIXED).dim == 8
    assert stack(MIXED, 5).dim == 5


@pytest.mark.slow
def test_a_table_of_its_own_at_the_right_width_is_read_as_it_is():
    tower, features = stack(MIXED, 4), vectors(a=4, b=8, c=3, d=4)
    assert tower.kept == ("a", "d")
    assert tower.mapped == (("b",), ("c",))
    stacked = tower(features, NOTHING)
    assert stacked.shape == (2, tower.features, 4) == (2, 4, 4)
    np.testing.assert_array_equal(stacked[:, 0], features["a"])
    np.testing.assert_array_equal(stacked[:, 1], features["d"])
    for place, name in enumerate(("b", "c")):
        mapped = features[name] @ tower.maps[place][...][0]
        np.testing.assert_allclose(stacked[:, 2 + place], mapped, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_features_of_one_table_that_read_the_same_row_are_told_apart():
    tower, row = stack(Unified(TABLE, 4), 4), vectors(a=4)["a"]
    stacked = np.asarray(tower({"a": row, "b": vectors(b=8)["b"], "c": row, "d": row}, NOTHING))
    a, c, d = (stacked[:, place] for place in range(3))
    assert (a != c).all()
    assert (c != d).all()


def test_maps_of_features_of_one_width_lie_in_one_array():
    tower = stack(Unified(TABLE, 4))
    assert tower.mapped == (("a", "c", "d"), ("b",))
    assert [maps.shape for maps in tower.maps] == [(3, 4, 8), (1, 8, 8)]


@pytest.mark.slow
def test_fresh_maps_keep_the_size_of_vectors():
    embed = nnx.eval_shape(lambda: Embedding(SCHEMA, Unified(TABLE, 300), rngs=nnx.Rngs(0)))
    tower = CommonWidth(embed, 300, rngs=nnx.Rngs(0))
    row = jnp.ones(300) @ tower.maps[0][...][1]
    np.testing.assert_allclose(jnp.mean(row**2), 1.0, atol=0.25)


def test_vectors_of_the_right_width_already_come_first():
    beside = jnp.arange(8.0).reshape(2, 1, 4)
    stacked = stack(MIXED, 4)(vectors(a=4, b=8, c=3, d=4), beside)
    np.testing.assert_array_equal(stacked[:, :1], beside)
    assert stacked.shape == (2, 5, 4)


@pytest.mark.slow
@pytest.mark.usefixtures("strict_dtypes")
def test_a_number_scales_its_vector():
    numbers = drawn(lambda: NumberVectors(2, 3, rngs=nnx.Rngs(0)))
    one = np.asarray(numbers(jnp.ones((1, 2))))[0]
    np.testing.assert_allclose(
        numbers(jnp.array([[2.0, -1.0]]))[0], one * np.array([[2.0], [-1.0]]), rtol=1e-6
    )
