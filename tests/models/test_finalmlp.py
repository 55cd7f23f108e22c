"""FinalMLP: two streams that see the features through gates of their own."""

import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Unified
from recsys.features import Feature, Schema
from recsys.models import FinalMLP
from recsys.tables import Full
from tests.drawn import drawn, linear, relu
from tests.models.schemas import EVERY, LAYOUTS

SCHEMA = Schema((Feature("a", values=9), Feature("b", values=9), Feature("x", kind="numeric")))
COLUMNS = {"a": [1, 2, 3], "b": [4, 4, 5], "x": [0.5, -1.0, 2.0]}


@pytest.mark.slow
def test_a_logit_by_hand():
    spec = FinalMLP(
        SCHEMA, Unified(Full(), 4), first=(6,), second=(4,), heads=2, first_context=("b",)
    )
    model, batch = drawn(lambda: spec.build(rngs=nnx.Rngs(0))), SCHEMA.encode(COLUMNS)
    vectors = model.embed(batch)
    x = np.concatenate([vectors["a"], vectors["b"], batch.numbers], axis=1)
    decided, constant = model.gates
    gates = linear(decided.head, vectors["b"]), np.asarray(constant.constant[...])[None]
    seen, other = (x * 2 / (1 + np.exp(-gate)) for gate in gates)
    one, two = relu(model.first.layers[0], seen), relu(model.second.layers[0], other)
    between = np.asarray(model.fusion.between[...])
    heads = [
        np.einsum("bi,ij,bj->b", one[:, :3], between[0], two[:, :2]),
        np.einsum("bi,ij,bj->b", one[:, 3:], between[1], two[:, 2:]),
    ]
    own = linear(model.fusion.own, np.concatenate([one, two], axis=1))[:, 0]
    np.testing.assert_allclose(model(vectors, batch), own + sum(heads), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"heads": 5}, "FinalMLP wants heads that divide the last widths 192 and 192, got heads=5"),
        ({"first": ()}, r"FinalMLP wants first to be 1 or more .* got first=\(\)"),
        ({"gate": (0,)}, "FinalMLP wants gate"),
        ({"second_context": ("town",)}, r"got \['town'\]: there are user, item"),
    ],
)
def test_streams_that_cannot_be_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        FinalMLP(EVERY, LAYOUTS["unified"], **wrong)
