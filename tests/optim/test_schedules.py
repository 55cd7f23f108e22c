"""Schedules by hand, and that rows and dense parameters follow them alike."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recsys.optim import (
    SCHEDULES,
    SGD,
    Constant,
    Cosine,
    DenseSGD,
    Drops,
    Linear,
    RowTraining,
    Schedule,
)
from recsys.tables import Full
from recsys.training import Learner, Recipe
from tests.toy import LAYOUTS, Toy, as_numpy, clicks

EXAMPLES: dict[str, Schedule] = {
    "constant": Constant(),
    "cosine": Cosine(steps=4, floor=0.2),
    "linear": Linear(steps=4, floor=0.2),
    "drops": Drops(at=(2, 5), factor=0.5),
}


def rates(schedule: Schedule, *steps: int) -> list[float]:
    rate = jax.jit(lambda step: schedule(step))
    return [float(rate(jnp.int32(step))) for step in steps]


def test_every_schedule_has_an_example():
    assert {name: type(schedule) for name, schedule in EXAMPLES.items()} == SCHEDULES


@pytest.mark.usefixtures("strict_dtypes")
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_schedule_starts_at_the_full_rate_and_never_rises(name):
    rate = EXAMPLES[name](jnp.int32(0))
    assert (rate.shape, rate.dtype) == ((), jnp.float32)
    falling = rates(EXAMPLES[name], *range(8))
    assert falling[0] == 1
    assert falling == sorted(falling, reverse=True)


def test_a_cosine_by_hand():
    quarter = 0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2
    expected = [1.0, quarter, 0.6, 0.2, 0.2]
    np.testing.assert_allclose(rates(Cosine(4, 0.2), 0, 1, 2, 4, 9), expected, rtol=1e-6)
    np.testing.assert_allclose(rates(Cosine(4), 4, 10**9), [0.0, 0.0], atol=1e-7)


def test_a_line_by_hand():
    expected = [1.0, 0.8, 0.6, 0.2, 0.2]
    np.testing.assert_allclose(rates(Linear(4, 0.2), 0, 1, 2, 4, 9), expected, rtol=1e-6)


def test_drops_by_hand():
    assert rates(Drops((2, 5), 0.5), 0, 1, 2, 4, 5, 99) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert rates(Drops((), 0.5), 0, 9) == [1, 1]


def test_warm_up_multiplies_the_schedule():
    recipe = Recipe(schedule=Linear(steps=10), warmup=4)
    got = [float(recipe.rate(jnp.int32(step))) for step in (0, 1, 3, 5, 10)]
    np.testing.assert_allclose(got, [0.25, 0.5 * 0.9, 0.7, 0.5, 0.0], rtol=1e-6)


@pytest.mark.slow
def test_rows_and_params_follow_the_schedule_alike():
    recipe = Recipe(RowTraining(SGD(0.5)), DenseSGD(0.5), schedule=Drops(at=(1,), factor=0.0))
    learner = Learner(Toy(LAYOUTS["unified"](Full())), recipe)
    batch, start = clicks(32), learner.start()
    before = as_numpy((start.rows, start.params))
    first, _ = learner.step(start, batch)
    after = as_numpy((first.rows, first.params))
    second, _ = learner.step(first, batch)
    assert all((new != old).any() for (_, new), (_, old) in zip(after, before, strict=True))
    for (name, new), (_, old) in zip(as_numpy((second.rows, second.params)), after, strict=True):
        np.testing.assert_array_equal(new, old, err_msg=name)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Cosine(0), "Cosine wants at least 1 step and a floor in .* got steps=0"),
        (lambda: Linear(5, floor=1.5), "Linear wants .* and floor=1.5"),
        (lambda: Drops((3, 3)), r"Drops wants rising steps of at least 1, got at=\(3, 3\)"),
        (lambda: Drops((0,)), r"got at=\(0,\)"),
        (lambda: Drops((3,), factor=2.0), r"Drops wants a factor in \[0, 1\], got factor=2.0"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
