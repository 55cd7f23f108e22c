"""Text towers: all start as the sum of the words, read no padding, and learn."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from recsys.towers.direction import unit
from recsys.towers.text import TEXT_TOWERS, Bag, Recurrent, TermWeights, Transformer, combined
from recsys.towers.text.transformer import positions

WIDTH = 8
TOWERS = [
    Bag(hidden=16),
    Recurrent(hidden=8),
    Recurrent(cell="lstm", hidden=8),
    Transformer(layers=1, heads=2),
]


@pytest.fixture(scope="module", params=TOWERS, ids=str)
def tower(request):
    with jax.numpy_dtype_promotion("strict"):
        built = request.param.build(WIDTH, rngs=nnx.Rngs(0))
    graph, state = nnx.split(built)

    def called(words, valid):
        with jax.numpy_dtype_promotion("strict"):
            return nnx.merge(graph, state)(words, valid)

    return jax.jit(called)


def texts(rows: int = 4, words: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    valid = np.arange(words) < rng.integers(1, words, rows)[:, None]
    vectors = rng.standard_normal((rows, words, WIDTH)).astype(np.float32)
    return vectors * valid[..., None], valid


def test_every_tower_starts_as_the_sum_of_the_words(tower):
    words, valid = texts()
    np.testing.assert_allclose(tower(words, valid), unit(jnp.sum(words, axis=1)), atol=1e-5)


def test_an_empty_text_is_the_zero_vector(tower):
    words, valid = texts()
    valid[0], words[0] = False, 0
    found = tower(words, valid)
    np.testing.assert_array_equal(found[0], 0)
    assert np.all(np.isfinite(found))


@pytest.mark.slow
@pytest.mark.parametrize("spec", TOWERS, ids=str)
def test_every_tower_learns_and_reads_no_padding(spec):
    """Which of two words is there, or, where no bag could tell, which of the two comes first."""
    rng = np.random.default_rng(1)
    own = rng.standard_normal((2, WIDTH)).astype(np.float32)
    label = rng.integers(0, 2, 32)
    words = np.zeros((32, 6, WIDTH), np.float32)
    words[:, 2] = own[label]
    if not isinstance(spec, Bag):
        words[:, 1] = own[1 - label]
    valid = np.arange(6)[None] < np.full((32, 1), 4)
    read, is_read = jnp.asarray(words), jnp.asarray(valid)
    graph, state = nnx.split(spec.build(WIDTH, rngs=nnx.Rngs(0)))
    start = (state, jnp.zeros((WIDTH, 2)))
    optimizer = optax.adam(0.02)

    def loss(both):
        told = nnx.merge(graph, both[0])(read, is_read) @ both[1]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(told, label))

    def step(_, carry):
        both, slots = carry
        updates, slots = optimizer.update(jax.grad(loss)(both), slots)
        return optax.apply_updates(both, updates), slots

    @jax.jit
    def trained(both):
        both, _ = jax.lax.fori_loop(0, 100, step, (both, optimizer.init(both)))
        return loss(both), nnx.merge(graph, both[0])(read, is_read), both[0]

    last, told, state = trained(start)
    assert last < 0.1
    longer = np.pad(words, ((0, 0), (0, 3), (0, 0)))
    alike = jax.jit(lambda words, valid: nnx.merge(graph, state)(words, valid))
    is_there = np.pad(valid, ((0, 0), (0, 3)))
    np.testing.assert_allclose(alike(longer, is_there), told, atol=1e-5)


def test_words_are_the_weighted_sums_of_what_is_read_of_them():
    vectors = jnp.arange(12.0).reshape(1, 2, 3, 2)
    weights = jnp.array([[[1.0, 2.0, 0.5], [1.0, 1.0, 1.0]]])
    valid = jnp.array([[[True, True, False], [True, False, False]]])
    found = combined(vectors, weights, valid)
    np.testing.assert_allclose(found[0], [[0 + 4, 1 + 6], [6, 7]])


def test_rare_terms_start_heavier_than_frequent_ones_and_none_without_bounds():
    terms = TermWeights(4, places=1)
    terms.start_from(np.array([100, 10, 1, 0]), texts=100)
    weight = np.exp(terms.log_weight[...])
    assert np.all(np.diff(weight)[:1] > 0)
    assert weight.max() / weight.min() <= 8.001
    np.testing.assert_allclose(weight[1] / weight[0], np.log(11) / np.log(2), rtol=1e-5)


def test_positions_of_words_differ_and_stay_within_one():
    found = positions(64, WIDTH)
    assert len(np.unique(found.round(4), axis=0)) == 64
    assert np.abs(found).max() <= 1


def test_every_tower_is_tried_here():
    assert {type(spec) for spec in TOWERS} == set(TEXT_TOWERS.values())


def test_towers_of_nothing_are_refused():
    with pytest.raises(ValueError, match="hidden of at least 0"):
        Bag(hidden=-1)
    with pytest.raises(ValueError, match="hidden of at least 1"):
        Recurrent(hidden=0)
    with pytest.raises(ValueError, match="layers, heads and hidden"):
        Transformer(layers=0)
    with pytest.raises(ValueError, match="evenly, got heads=3"):
        Transformer(heads=3).build(WIDTH, rngs=nnx.Rngs(0))
