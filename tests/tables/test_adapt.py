"""AdaptEmb: reads are counted, and who was read often enough gets a row while training goes on."""

import dataclasses

import numpy as np
import pytest
from flax import nnx

from recsys.optim import Adagrad, RowTraining
from recsys.tables import AdaptEmb
from recsys.tables.base import OUT, payload_bytes
from recsys.training import Learner, Recipe
from tests.tables.test_cafe import FIELDS, keys_of, observe, shared_rows
from tests.tables.test_cafe_training import rows_of
from tests.toy import LAYOUTS, Toy, clicks
from tests.training.runs import BATCH, batch_of

pytestmark = pytest.mark.slow

SMALL = AdaptEmb(rows=24, share=0.5, ways=4, candidates=4, threshold=3.0)
NO_GRADIENT = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]


def test_the_third_read_of_a_value_gives_it_a_row_whatever_its_gradient():
    """One of the two values is read once a batch, the other three times; nobody is hot when first
    met, and who has a row keeps counting.
    """
    everything = keys_of(["popular", "", ""], [7, 7, 7])
    for field, batches, count in ((0, 3, 3.0), (1, 2, 6.0)):
        table = SMALL.build(4, FIELDS, rngs=nnx.Rngs(0))
        valid = everything.valid & (np.arange(2) == field)[None]
        key = dataclasses.replace(everything, valid=valid)
        shared = shared_rows(table, key)[0, field]
        seen = [observe(table, key, NO_GRADIENT) for _ in range(batches + 1)]
        own = np.asarray(table.address(key)["weight"])
        assert SMALL.shared <= own[0, field] < SMALL.rows
        assert seen == [{}] * (batches - 1) + [{own[0, field]: shared}, {}]
        assert (own[~np.asarray(valid)] == OUT).all()
        assert float(table.sketch.hot_scores.max()) == count * (batches + 1) / batches


def test_a_row_goes_to_a_newcomer_that_is_read_twice_as_often_and_no_sooner():
    """One bucket of one row. "first" has it after 4 reads; "second" needs more than 8."""
    spec = AdaptEmb(rows=2, share=0.5, ways=1, candidates=2, threshold=3.0)
    table = spec.build(4, FIELDS[:1], rngs=nnx.Rngs(0))
    alone = dataclasses.replace(keys_of(["first", "second"], [0, 0]).part(SPAN))
    first, second = (dataclasses.replace(alone, valid=alone.valid & is_it) for is_it in WHO)
    for _ in range(4):
        observe(table, first, [[0.0], [0.0]])
    owned = [bool(observe(table, second, [[0.0], [0.0]])) for _ in range(9)]
    assert owned == [False] * 8 + [True]
    assert table.address(alone)["weight"][:, 0].tolist() == [0, 1]


SPAN = keys_of(["a"], [0]).spans[0]
WHO = (np.array([[True], [False]]), np.array([[False], [True]]))


def test_bytes_are_rows_and_tags_and_the_served_form_looks_up_the_same():
    table, key = SMALL.build(4, FIELDS, rngs=nnx.Rngs(0)), keys_of(["a", "b", "a"], [3, 4, 3])
    for _ in range(8):  # of so few reads one value a batch is promoted
        observe(table, key, NO_GRADIENT)
    assert (np.asarray(table.address(key)["weight"]) >= SMALL.shared).all()
    frozen = table.freeze()
    np.testing.assert_array_equal(frozen(key), table(key))
    assert payload_bytes(frozen) == SMALL.table_bytes(4, FIELDS) == 4 * 4 * 24 + 4 * 12


def test_rows_are_handed_out_while_training_and_slots_move_along():
    spec = AdaptEmb(rows=120, share=0.5, ways=4, candidates=6, threshold=20.0)
    own = Learner(Toy(LAYOUTS["unified"](spec)), Recipe(rows=RowTraining(Adagrad(0.2))))
    state, data, seen = own.start(), clicks(BATCH * 16), []
    before, _ = rows_of(own.model(state).embed.tables["unified"])
    for number in range(12):
        state, _ = own.step(state, batch_of(data, number))
        table = own.model(state).embed.tables["unified"]
        after, shared = rows_of(table)
        new = (after != before) & (after >= spec.shared)
        for array in (table.stored()["weight"], *state.slots["unified"]["weight"].values()):
            moved = np.asarray(array)[after[new]]
            np.testing.assert_array_equal(moved, np.asarray(array)[shared[new]])
            assert (moved != 0).any(axis=1).all()
        seen.append(int(new.sum()))
        before = after
    assert seen[0] == 0
    assert sum(seen) > 20
    assert sum(count > 0 for count in seen) > 3, "not all at once"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 8}, "AdaptEmb needs a row to share beside its ways=8 hot ones.*got rows=8"),
        ({"candidates": 0}, "candidates=0"),
        ({"share": 0.0}, "share=0.0"),
        ({"threshold": 0.0}, "threshold=0.0"),
        ({"margin": -1.0}, "margin=-1.0"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AdaptEmb(**options)
