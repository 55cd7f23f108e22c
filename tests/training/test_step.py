"""The step's own promises: skipped batches leave no trace, clipping, dropout, warm-up, averages,
donation.
"""

import copy
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from recsys.features import Batch
from recsys.optim import SGD, Adam, DenseSGD, LazyAdam, RowTraining
from recsys.tables import Full, Hash
from recsys.tables.base import Context
from recsys.tables.hash import HashTable
from recsys.training import Learner, Recipe, State
from tests.toy import LAYOUTS, Toy, as_numpy, clicks, poisoned

pytestmark = pytest.mark.slow

DATA = clicks(32 * 12)
PLAIN = Recipe(rows=RowTraining(SGD(1.0)), dense=DenseSGD(1.0))


def batch(number: int) -> Batch:
    return DATA.take(slice(32 * number, 32 * (number + 1)))


@functools.cache  # so that a recipe is compiled once
def learner(recipe: Recipe) -> Learner:
    return Learner(Toy(LAYOUTS["unified"](Full())), recipe)


def train(learner: Learner, batches: list[Batch]) -> State:
    state = learner.start()
    for one in batches:
        state, _ = learner.step(state, one)
    return state


def moved(before: State, after: State) -> dict[str, np.ndarray]:
    """What one step added to each row and parameter."""
    pairs = zip(
        as_numpy((before.rows, before.params)), as_numpy((after.rows, after.params)), strict=True
    )
    return {name: late - early for (name, early), (_, late) in pairs}


def one_step(recipe: Recipe, number: int = 0) -> dict[str, np.ndarray]:
    own = learner(recipe)
    return moved(own.start(), own.step(own.start(), batch(number))[0])


def norm(arrays: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum((array**2).sum() for array in arrays.values())))


def test_a_skipped_batch_might_as_well_not_have_come():
    """Ages, averages and bias corrections count the steps that were made, not those skipped."""
    recipe = Recipe(rows=RowTraining(LazyAdam(0.05), average=0.9), dense=Adam(0.01), warmup=4)
    own = learner(recipe)
    batches = [batch(number) for number in range(6)]
    clean = train(own, batches)
    spoiled = train(own, [poisoned(batch(9)), *batches[:3], poisoned(batch(8)), *batches[3:]])
    assert (int(spoiled.step), int(spoiled.skipped)) == (8, 2)
    pairs = [(clean, dataclasses.replace(spoiled, step=clean.step, skipped=clean.skipped)),
             (own.averaged(clean).rows, own.averaged(spoiled).rows),
             (own.averaged(clean).params, own.averaged(spoiled).params)]  # fmt: skip
    for one, other in pairs:
        for (name, left), (_, right) in zip(as_numpy(one), as_numpy(other), strict=True):
            np.testing.assert_array_equal(left, right, err_msg=name)


def test_an_infinite_weight_is_skipped_too():
    own = learner(PLAIN)
    weight = np.array(batch(0).weight)
    weight[3] = np.inf
    state, report = own.step(own.start(), dataclasses.replace(batch(0), weight=weight))
    assert not report.is_finite
    assert not any(change.any() for change in moved(own.start(), state).values())


def test_clipping_bounds_the_norm_of_rows_and_params_together():
    free = one_step(PLAIN)
    bound = norm(free) / 3
    clipped = one_step(dataclasses.replace(PLAIN, clip_norm=bound))
    np.testing.assert_allclose(norm(clipped), bound, rtol=1e-5)
    for name, change in clipped.items():
        np.testing.assert_allclose(change, free[name] / 3, atol=1e-6)


def test_a_gradient_within_the_bound_is_not_clipped():
    free = one_step(PLAIN)
    loose = one_step(dataclasses.replace(PLAIN, clip_norm=norm(free) * 1.01))
    for name, change in loose.items():
        np.testing.assert_array_equal(change, free[name])


def test_the_reported_norm_is_that_of_summed_gradients():
    own = learner(PLAIN)
    state, report = own.step(own.start(), batch(0))
    np.testing.assert_allclose(report.grad_norm, norm(moved(own.start(), state)), rtol=1e-4)


def test_learning_rates_rise_from_zero_over_the_warm_up():
    recipe = dataclasses.replace(PLAIN, warmup=4)
    full = one_step(PLAIN)
    for name, change in one_step(recipe).items():
        np.testing.assert_allclose(change, full[name] / 4, atol=1e-6)
    rates = [float(recipe.rate(jnp.int32(step))) for step in range(6)]
    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_dropout_keeps_the_expectation_and_zeroes_its_share():
    recipe = Recipe(dropout=0.25)
    vectors = {"a": jnp.ones((400, 3, 16)), "b": jnp.ones((400, 3, 16))}
    context = Context(jnp.int32(5), jnp.uint32(0), True)
    dropped = recipe.drop(vectors, context)
    for vector in dropped.values():
        assert set(np.unique(vector).tolist()) == {0.0, np.float32(1 / 0.75)}
        np.testing.assert_allclose(np.mean(vector), 1.0, atol=0.02)
    assert (np.asarray(dropped["a"]) != np.asarray(dropped["b"])).any()
    later = recipe.drop(vectors, dataclasses.replace(context, step=jnp.int32(6)))
    assert (np.asarray(dropped["a"]) != np.asarray(later["a"])).any()


def test_dropout_trains_and_does_not_predict():
    with_dropout, without = learner(dataclasses.replace(PLAIN, dropout=0.5)), learner(PLAIN)
    state = with_dropout.start()
    np.testing.assert_array_equal(
        with_dropout.predict(state, batch(0)), without.predict(without.start(), batch(0))
    )
    loss = with_dropout.step(state, batch(0))[1].loss
    assert float(loss) != float(without.step(without.start(), batch(0))[1].loss)


def test_params_are_averaged_like_dense_training():
    recipe = dataclasses.replace(PLAIN, rows=RowTraining(SGD(0.1), average=0.8))
    own = learner(recipe)
    state, dense = own.start(), [0.0] * len(as_numpy((own.start().rows, own.start().params)))
    for number in range(5):
        state, _ = own.step(state, batch(number))
        now = as_numpy((state.rows, state.params))
        dense = [0.8 * mean + 0.2 * array for mean, (_, array) in zip(dense, now, strict=True)]
    got = own.averaged(state)
    for mean, (name, array) in zip(dense, as_numpy((got.rows, got.params)), strict=True):
        np.testing.assert_allclose(array, mean / (1 - 0.8**5), rtol=1e-5, atol=1e-6, err_msg=name)


def test_an_average_that_was_not_kept_is_not_made_up():
    own = learner(PLAIN)
    with pytest.raises(ValueError, match="keeps no average: set RowTraining"):
        own.averaged(own.start())


def test_the_state_given_to_a_step_is_donated():
    own = learner(PLAIN)
    state = own.start()
    own.step(state, batch(0))
    assert all(
        leaf.is_deleted() for leaf in jax.tree.leaves((state.rows, state.slots, state.params))
    )


def test_the_model_given_to_a_learner_is_left_alone():
    model = Toy(LAYOUTS["unified"](Full()))
    own = Learner(model, PLAIN)
    before = as_numpy(own.start().rows)
    train(own, [batch(0), batch(1)])
    for (name, one), (_, other) in zip(before, as_numpy(own.start().rows), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_the_same_seed_gives_the_same_bits():
    recipe = Recipe(rows=RowTraining(LazyAdam(0.05)), dropout=0.3, seed=5)
    batches = [batch(number) for number in range(4)]
    one, two = (train(learner(recipe), batches) for _ in range(2))
    for (name, left), (_, right) in zip(as_numpy(one), as_numpy(two), strict=True):
        assert left.tobytes() == right.tobytes(), name
    start = dataclasses.replace(learner(recipe).start(), seed=jnp.uint32(6))
    report = learner(recipe).step(start, batches[0])[1]
    assert float(report.loss) != float(
        learner(recipe).step(learner(recipe).start(), batches[0])[1].loss
    )


def test_any_optax_transformation_trains_the_params():
    free = one_step(PLAIN)
    for name, change in one_step(dataclasses.replace(PLAIN, dense=optax.sgd(1.0))).items():
        np.testing.assert_array_equal(change, free[name])


def test_a_batch_that_the_mesh_does_not_divide_is_refused(mesh8):
    own = Learner(Toy(LAYOUTS["unified"](Full())), PLAIN, mesh8)
    with pytest.raises(ValueError, match="split over 8 devices, got 12 examples"):
        own.put(DATA.take(slice(0, 12)))


def test_ids_of_64_bits_are_refused_before_a_device_cuts_them():
    wrong = copy.copy(batch(0))
    object.__setattr__(wrong, "low", wrong.low.astype(np.int64))
    with pytest.raises(TypeError, match="wants low as uint32, got int64"):
        learner(PLAIN).put(wrong)


def test_a_batch_on_the_mesh_is_not_sent_again():
    put = learner(PLAIN).put(batch(0))
    assert learner(PLAIN).put(put) is put


class TwiceTable(HashTable):
    """Its rows learn in both passes."""

    passes = (("weight",), ("weight",))


class Twice(Hash):
    def build(self, dim, fields, *, rngs):
        start = jax.random.normal(rngs.params(), (self.rows, dim))
        return TwiceTable(dim, fields, {"weight": start})


def test_a_second_pass_that_is_not_finite_teaches_nothing_and_says_so():
    rows = RowTraining(SGD(1e38))  # so that the second pass sees rows that overflow
    own = Learner(Toy(LAYOUTS["unified"](Twice(rows=64))), Recipe(rows=rows))
    state, report = own.step(own.start(), batch(0))
    assert (bool(report.is_finite), bool(report.is_whole)) == (True, False)
    assert all(np.isfinite(array).all() for _, array in as_numpy(state.rows))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"dropout": 1.0}, "dropout"), ({"dropout": -0.1}, "dropout"),
     ({"repeats": "magic"}, "known are auto, claim, sort"),
     ({"clip_norm": -1.0}, "clip_norm"), ({"warmup": -1}, "warmup"), ({"seed": -1}, "seed")],
)  # fmt: skip
def test_a_recipe_that_makes_no_sense_is_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**wrong)
