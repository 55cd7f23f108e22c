"""Bytes that training keeps: counted by hand once, and within the budget for all that claim it."""

import jax
import numpy as np
import pytest

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.optim import Adagrad, Adam, LazyAdam, RowTraining, RowwiseAdagrad
from recsys.tables import ALPT, CAFE, DPQ, INT8, MDE, Full, Hash, HotCold
from recsys.training import Learner, Recipe
from recsys.training.footprint import TrainingBytes, training_bytes
from tests.tables.examples import EXAMPLES
from tests.toy import DIM, Toy, clicks
from tests.training.runs import batch_of

SEEN = ((50, 2_000), (5, 8_000), (1, 15_000))  # times, and values seen so often
LARGE = Schema(
    (
        Feature("user", values=40_000, counts=SEEN),
        Feature("item", values=50_000, counts=SEEN),
        Feature("tags", kind="bag", length=3, values=30_000, counts=SEEN),
        Feature("hour", kind="numeric"),
    )
)
WIDTH = 16
FULL_BYTES = 4 * WIDTH * 120_000
RECIPE = Recipe(rows=RowTraining(RowwiseAdagrad()), dense=Adam(1e-2))


def kept(method, recipe: Recipe = RECIPE) -> TrainingBytes:
    """What training a large table would keep: from shapes alone."""
    learner = Learner(lambda: Toy(Unified(method, WIDTH), schema=LARGE), recipe)
    return training_bytes(jax.eval_shape(learner.fresh))["unified"]


@pytest.mark.slow
def test_bytes_by_hand_are_those_of_a_state_that_has_trained():
    """190 values of 8 numbers, padded to 512 rows: 8 code bytes and a scale of 2 for each.

    Adagrad keeps a float32 sum an entry, and the average of the rows is as large again, with the
    step of each row's last touch.
    """
    recipe = Recipe(rows=RowTraining(Adagrad(0.1), average=0.9))
    learner = Learner(Toy(Unified(INT8(), DIM)), recipe)
    state, _ = learner.step(learner.start(), batch_of(clicks(96), 0))
    found = training_bytes(state)
    assert found == {
        "unified": TrainingBytes(
            rows=512 * (8 + 2), params=0, slots=512 * (4 * 8 + 4 * 8 + 4), rest=0
        )
    }


def test_matrices_have_moments_and_sketches_count():
    """Rows of 8 instead of 16 numbers want a matrix of 8 x 16 a feature, with two moments each."""
    mde = kept(MDE(alpha=0.0, base=8.0))
    matrices = 3 * 4 * 8 * WIDTH
    assert mde.params == matrices
    assert mde.slots == mde.rows // 8 + 2 * matrices  # a sum a row
    spec = CAFE(rows=8_000)
    assert (
        kept(spec).rest == 8 * spec.buckets * (spec.ways + spec.candidates) + 4
    )  # and a threshold


@pytest.mark.parametrize("optimizer", [RowwiseAdagrad(), Adagrad(), LazyAdam()], ids=str)
def test_plain_rows_cost_themselves_and_their_slots(optimizer):
    found = kept(Hash(rows=12_288), Recipe(rows=RowTraining(optimizer)))
    assert found.rows == 4 * WIDTH * 12_288
    np.testing.assert_allclose(found.per_budget(found.rows), 1.0)


@pytest.mark.parametrize("name", EXAMPLES)
def test_methods_that_claim_to_train_within_their_budget_do(name):
    fields = Unified(EXAMPLES[name], WIDTH).plans(LARGE)["unified"].fields
    try:
        method = EXAMPLES[name].within(FULL_BYTES // 10, WIDTH, fields)
    except ValueError:  # it does not get so small
        method = EXAMPLES[name].dial(WIDTH, fields).make(0)
    budget = max(FULL_BYTES // 10, method.table_bytes(WIDTH, fields))
    ratio = kept(method).per_budget(budget)
    assert (ratio <= 1.2) == method.trains_within_budget, ratio


@pytest.mark.parametrize(
    ("method", "claims"),
    [
        (DPQ(of=Hash()), False),
        (HotCold(Full(), DPQ(of=Hash())), False),
        (HotCold(INT8(), ALPT()), True),
        (ALPT(of=HotCold()), True),
    ],
)
def test_a_combination_claims_what_all_its_parts_do(method, claims):
    assert method.trains_within_budget == claims
