"""Wide & Deep: which part reads what."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Group, Grouped, Unified
from recsys.features import Feature, Schema
from recsys.models import WideDeep
from recsys.tables import Full
from tests.drawn import drawn, linear, relu
from tests.models.schemas import EVERY, LAYOUTS, SCHEMAS

SCHEMA = Schema(tuple(Feature(name, values=9) for name in ("a", "b", "both")))
COLUMNS = {"a": [1, 2, 3], "b": [4, 4, 5], "both": [6, 7, 8]}
LAYOUT = Grouped(
    (
        Group(("both",), Unified(Full(), 1)),
        Group(("a", "b"), Unified(Full(), 4)),
    )
)


@pytest.mark.slow
def test_a_logit_by_hand():
    spec = WideDeep(SCHEMA, LAYOUT, wide_only=("both",), hidden=(6,))
    model, batch = drawn(lambda: spec.build(rngs=nnx.Rngs(0))), SCHEMA.encode(COLUMNS)
    vectors = model.embed(batch)
    both, a, b = (np.asarray(vectors[name]) for name in ("both", "a", "b"))
    assert both.shape == (3, 1)  # a weight a value, as in the paper
    wide = linear(model.wide, np.concatenate([both, a, b], axis=1))
    deep = relu(model.deep.layers[0], np.concatenate([a, b], axis=1))
    expected = (wide + linear(model.head, deep))[:, 0]
    np.testing.assert_allclose(model(vectors, batch), expected, rtol=1e-5, atol=1e-5)


def test_the_deep_part_leaves_out_crosses_unless_told_otherwise():
    spec = WideDeep(EVERY, LAYOUTS["unified"])
    assert spec.deep == ("user", "item", "title", "tags", "seen", "age")
    chosen = dataclasses.replace(spec, wide_only=("user", "title"))
    assert chosen.deep == ("item", "user x item", "tags", "seen", "age")
    assert "user x item" in dataclasses.replace(spec, wide_only=()).deep


def test_crosses_alone_are_read_by_both_parts():
    assert WideDeep(SCHEMAS["crosses only"], LAYOUTS["unified"]).deep == ("user x item",)


@pytest.mark.parametrize(
    ("schema", "wrong", "sentence"),
    [
        (EVERY, {"wide_only": ("town",)}, r"got \['town'\]: there are user, item"),
        (SCHEMAS["one feature"], {"wide_only": ("user",)}, "something for its deep part to read"),
        (EVERY, {"hidden": (0,)}, "WideDeep wants hidden"),
    ],
)
def test_parts_that_cannot_be_are_refused(schema, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        WideDeep(schema, LAYOUTS["unified"], **wrong)
