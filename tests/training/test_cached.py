"""The gradient cache: the step of a large batch, exactly, in the memory of a small one."""

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import DCN, Tower, TwoTower
from recsys.optim import SGD, DenseSGD, LazyAdam, RowTraining
from recsys.tables import ALPT, Full, Hash
from recsys.training import Learner, Recipe
from tests.models.test_two_tower import batch

PAIR = TwoTower(  # a user, an item: two places an example
    Schema((Feature("user", values=512), Feature("item", values=512)), label=None),
    Unified(Full(), 64),
    user=Tower(("user",)),
    item=Tower(("item",)),
    dim=64,
)
SMALL = dataclasses.replace(
    PAIR,
    layout=Unified(Hash(rows=64), 8),
    user=Tower(("user",), hidden=(5,)),
    dim=8,
    targets=2,
    candidates=1,
    is_counted=True,
)
RECIPE = Recipe(rows=RowTraining(SGD(0.1)), dense=DenseSGD(0.1), seed=3)


def learner(spec: TwoTower, recipe: Recipe) -> Learner:
    return Learner(lambda: spec.build(rngs=nnx.Rngs(0)), recipe)


@pytest.mark.slow
def test_a_cached_step_is_the_step():
    drawn = batch(SMALL, size=6)
    whole, parts = (learner(SMALL, dataclasses.replace(RECIPE, cache=cache)) for cache in (0, 2))
    states = [own.step(own.start(), drawn) for own in (whole, parts)]
    for wanted, found in zip(*map(jax.tree.leaves, states), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def peak(examples: int, *, cache: int) -> int:
    """Bytes of the compiled step of so many examples: state, batch, result and all between."""
    own = learner(PAIR, Recipe(rows=RowTraining(LazyAdam(0.1)), cache=cache))
    shapes = jax.eval_shape(own.fresh)
    one = batch(PAIR, size=1)
    given = jax.tree.map(lambda a: jax.ShapeDtypeStruct((examples, *a.shape[1:]), a.dtype), one)
    used: Any = own.compiled_step.lower(shapes, given).compile().memory_analysis()
    return (
        used.temp_size_in_bytes
        + used.argument_size_in_bytes
        + used.output_size_in_bytes
        - used.alias_size_in_bytes
    )


@pytest.mark.slow
def test_a_large_batch_takes_the_memory_of_a_small_one_and_six_vectors_an_example():
    large, small = 65_536, 2048
    most = peak(small, cache=0) + 6 * large * PAIR.dim * 4
    assert peak(large, cache=small) <= most


def test_what_cannot_be_cached_is_refused():
    recipe = Recipe(cache=2)
    schema = Schema((Feature("user", values=4),))
    with pytest.raises(ValueError, match=r"cache=2\) wants a model that encodes .* got DCNModel"):
        Learner(lambda: DCN(schema, Unified(Full())).build(rngs=nnx.Rngs(0)), recipe)
    spec = dataclasses.replace(PAIR, layout=Unified(ALPT(of=Full()), 64))
    with pytest.raises(
        ValueError, match="tables that need no gradient of a place, and ALPTTable watches"
    ):
        learner(spec, recipe)
    with pytest.raises(ValueError, match="cache of at least 0"):
        Recipe(cache=-1)
