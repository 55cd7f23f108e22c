"""Poolings of the registry: padding counts for nothing, an empty history is zero, all but the sum
and the mean of directions start as the mean.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.spec import from_json, to_json
from recsys.towers.pooling import POOLINGS, LatentAttention

EXAMPLES = {
    "mean": POOLINGS["mean"](),
    "mean_direction": POOLINGS["mean_direction"](),
    "sum": POOLINGS["sum"](),
    "attention": POOLINGS["attention"](),
    "latent_attention": POOLINGS["latent_attention"](latents=5, heads=2),
}
PLACES = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 6)).astype(np.float32))
VALID = jnp.asarray(np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool))


@pytest.fixture(scope="module", params=EXAMPLES)
def pool(request) -> nnx.Module:
    return EXAMPLES[request.param].build(6, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def moved(pool) -> nnx.Module:
    """The same with other parameters than it starts with."""
    graph, params = nnx.split(pool)
    keys = iter(jax.random.split(jax.random.key(1), 99))
    drawn = jax.tree.map(lambda p: jax.random.normal(next(keys), p.shape), params)
    return nnx.merge(graph, drawn)


def test_every_pooling_has_an_example():
    assert {name: type(spec) for name, spec in EXAMPLES.items()} == POOLINGS


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_spec_survives_json(name):
    assert from_json(to_json(EXAMPLES[name])) == EXAMPLES[name]


def test_the_sum_adds_the_real_places():
    expected = [PLACES[0].sum(axis=0), PLACES[1, 0] + PLACES[1, 2], np.zeros(6)]
    found = EXAMPLES["sum"].build(6, rngs=nnx.Rngs(0))(PLACES, VALID)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_mean_of_directions_does_not_read_how_long_vectors_are():
    pool = EXAMPLES["mean_direction"].build(6, rngs=nnx.Rngs(0))
    ones = PLACES / jnp.linalg.norm(PLACES, axis=-1, keepdims=True)
    expected = [ones[0].mean(axis=0), ones[1, [0, 2]].mean(axis=0), np.zeros(6)]
    longer = PLACES * jnp.asarray([1.0, 20.0, 0.1, 3.0])[None, :, None]
    np.testing.assert_allclose(pool(longer, VALID), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - {"sum", "mean_direction"}))
def test_it_starts_as_the_mean_of_the_real_places(name):
    pool = EXAMPLES[name].build(6, rngs=nnx.Rngs(0))
    expected = [PLACES[0].mean(axis=0), PLACES[1, [0, 2]].mean(axis=0), np.zeros(6)]
    np.testing.assert_allclose(pool(PLACES, VALID), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_padding_counts_for_nothing(moved):
    garbage = jnp.where(VALID[..., None], PLACES, 1e6)
    np.testing.assert_array_equal(moved(garbage, VALID), moved(PLACES, VALID))


@pytest.mark.slow
def test_the_order_of_places_does_not_matter(moved):
    np.testing.assert_allclose(
        moved(PLACES[:, ::-1], VALID[:, ::-1]), moved(PLACES, VALID), rtol=1e-4, atol=1e-4
    )


@pytest.mark.slow
def test_an_empty_history_is_zero_and_has_finite_gradients(moved):
    def total(places):
        return jnp.sum(moved(places, VALID) ** 2)

    assert not np.asarray(moved(PLACES, VALID)[2]).any()
    assert np.isfinite(np.asarray(jax.grad(total)(PLACES))).all()


def test_attention_counts_places_by_a_softmax():
    pool = EXAMPLES["attention"].build(6, rngs=nnx.Rngs(0))
    pool.query[...] = jnp.arange(6.0)
    fit = np.exp(np.asarray(PLACES[1]) @ np.arange(6.0)) * np.asarray(VALID[1])
    expected = (fit[:, None] * np.asarray(PLACES[1])).sum(axis=0) / fit.sum()
    np.testing.assert_allclose(pool(PLACES, VALID)[1], expected, rtol=1e-4)


@pytest.mark.slow
def test_latents_tell_histories_apart_that_have_the_same_mean():
    pool = LatentAttention(latents=5, heads=2).build(6, rngs=nnx.Rngs(0))
    graph, params = nnx.split(pool)
    drawn = jax.tree.map(lambda p: jax.random.normal(jax.random.key(p.size), p.shape), params)
    spread = jnp.stack([PLACES[0, 0], -PLACES[0, 0]])[None]
    even, there = jnp.zeros_like(spread), jnp.ones((1, 2), bool)
    found = nnx.merge(graph, drawn)
    assert np.abs(found(spread, there) - found(even, there)).max() > 0.1


@pytest.mark.parametrize("wrong", [{"latents": 0}, {"heads": 0}, {"hidden": 0}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match="latents, heads and hidden of at least 1"):
        LatentAttention(**wrong)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="heads=4: use a number that divides the width"):
        LatentAttention().build(6, rngs=nnx.Rngs(0))
