"""DLRM against the paper's steps one by one."""

import functools
from typing import Any

import numpy as np
import pytest
from flax import nnx

from recsys.embedding import PerFeature
from recsys.features import Batch, Feature, Schema
from recsys.models import DLRM
from recsys.tables import Full
from tests.drawn import drawn, linear, relu
from tests.models.schemas import EVERY, LAYOUTS

pytestmark = pytest.mark.slow

SCHEMA = Schema((Feature("a", values=9), Feature("b", values=9), Feature("x", kind="numeric")))
COLUMNS = {"a": [1, 2, 3], "b": [4, 4, 5], "x": [0.5, -1.0, 2.0]}
LAYOUT = PerFeature(Full(), 4)


def logits(model: Any, dense: np.ndarray, batch: Batch) -> np.ndarray:
    """What follows from the dense vectors: every pair, then the top."""
    vectors = model.embed(batch)
    a, b = np.asarray(vectors["a"]), np.asarray(vectors["b"])
    pairs = np.stack([(a * dense).sum(1), (b * dense).sum(1), (b * a).sum(1)], axis=1)
    both = np.concatenate([dense, pairs], axis=1)
    top = functools.reduce(lambda x, layer: relu(layer, x), model.top.layers, both)
    return linear(model.head, top)[:, 0]


def test_a_logit_by_hand():
    spec = DLRM(SCHEMA, LAYOUT, bottom=(3,), top=(6, 5))
    model, batch = drawn(lambda: spec.build(rngs=nnx.Rngs(0))), SCHEMA.encode(COLUMNS)
    inner, outer = model.bottom.layers
    dense = relu(outer, relu(inner, batch.numbers))
    assert dense.shape == (3, 4)
    np.testing.assert_allclose(
        model(model.embed(batch), batch), logits(model, dense, batch), rtol=1e-5, atol=1e-5
    )


def test_without_numbers_a_constant_gives_each_value_a_weight_of_its_own():
    spec = DLRM(Schema(SCHEMA.features[:2]), LAYOUT, top=())
    model, batch = drawn(lambda: spec.build(rngs=nnx.Rngs(0))), spec.schema.encode(COLUMNS)
    dense = np.broadcast_to(model.constant[...], (3, 4))
    assert dense.any()
    np.testing.assert_allclose(
        model(model.embed(batch), batch), logits(model, dense, batch), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"dim": 0}, "DLRM wants a dim of at least 1, got dim=0"),
        ({"bottom": (0,)}, r"DLRM wants bottom .* got bottom=\(0,\)"),
        ({"top": (8, -1)}, r"DLRM wants top .* got top=\(8, -1\)"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        DLRM(EVERY, LAYOUTS["unified"], **wrong)
