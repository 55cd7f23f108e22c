"""HotCold: who is hot by hand, any two methods side by side, and what the hot rows are worth."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from recsys.tables import (
    ALPT,
    CAFE,
    DPQ,
    FP16,
    INT4,
    INT8,
    MDE,
    ROBE,
    Full,
    Hash,
    HotCold,
    MultiHash,
)
from recsys.tables.base import OUT, Context, Field, payload_bytes
from tests.tables.lookup import built, keys, look_up
from tests.tables.test_mgqe import SEEN_OFTEN, auc

FIELDS = (Field("one", 10, salt=1), Field("two", 30, salt=2), Field("tiny", 1, salt=3))
RANKS = keys([[0, 5, 0], [1, 6, 0], [2, 7, 0], [9, 29, 0], [99, 99, 99]], fields=3)


def test_the_head_of_each_vocabulary_is_hot_and_both_parts_count_from_zero():
    """Of 41 values 8 are to be hot: of 10, 30 and 1 that is 1.95, 5.85 and 0.2, so 1, 5 and 1.

    Hot rows are then 0, 1 to 5, and 6. Cold ones are 0 to 8 and 9 to 33; the tiny field has one
    that nobody reads.
    """
    table = built(HotCold(cold=Full(), values=8), 4, FIELDS)
    assert table.heights == {"hot.weight": 7, "cold.weight": 9 + 25 + 1}
    address = table.address(RANKS)
    np.testing.assert_array_equal(
        address["hot.weight"],
        [[0, OUT, 6], [OUT, OUT, 6], [OUT, OUT, 6], [OUT, OUT, 6], [OUT, OUT, 6]],
    )
    np.testing.assert_array_equal(
        address["cold.weight"],
        [[OUT, 9, OUT], [0, 10, OUT], [1, 11, OUT], [8, 33, OUT], [8, 33, OUT]],
    )


PAIRS = {
    "full_int4": HotCold(Full(), INT4(), values=8),
    "int8_multihash": HotCold(INT8(), MultiHash(rows=9), values=8),
    "alpt_robe": HotCold(ALPT(), ROBE(rows=9, z=4), values=8),
    "fp16_dpq": HotCold(FP16(), DPQ(of=Hash(rows=9), parts=2, centroids=4), values=8),
    "mde_cafe": HotCold(MDE(base=2.0), CAFE(rows=12, ways=2), values=8),
    "three": HotCold(Full(), HotCold(INT8(), INT4(of=Hash(rows=9)), values=6), values=8),
    "stored": INT8(of=HotCold(Full(), Hash(rows=9), values=8)),
}


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS)
def test_any_two_methods_stand_side_by_side(pair):
    method = PAIRS[pair]
    table = built(method, 4, FIELDS)
    frozen = jax.jit(lambda own: own.freeze())(table)
    assert payload_bytes(frozen) == method.table_bytes(4, FIELDS)
    vectors = look_up(table, RANKS)
    np.testing.assert_allclose(look_up(frozen, RANKS), vectors, rtol=1e-6, atol=1e-7)
    assert np.isfinite(vectors).all()
    assert vectors[:4].any(axis=-1).all()
    nobody = dataclasses.replace(RANKS, valid=jnp.zeros_like(RANKS.valid))
    assert all((np.asarray(rows) == OUT).all() for rows in table.address(nobody).values())


@pytest.mark.slow
def test_each_part_answers_as_it_does_alone():
    method = HotCold(Full(), MultiHash(rows=9), values=8)
    table = built(method, 4, FIELDS)
    vectors, own = look_up(table, RANKS), table.keys(RANKS)
    for part in ("hot", "cold"):
        alone = nnx.clone(table.parts[part])
        alone.rows = nnx.Dict({"weight": table.rows[f"{part}.weight"]})
        is_its = np.asarray(own[part].valid)
        assert is_its.any()
        np.testing.assert_array_equal(look_up(alone, own[part])[is_its], vectors[is_its])


@pytest.mark.slow
def test_the_parts_do_their_own_work_on_their_rows():
    """CAFE ages its scores, and hands its moves on under the name of the array here."""
    table = built(PAIRS["mde_cafe"], 4, FIELDS)
    assert table.period == CAFE().every
    cafe = table.parts["cold"]
    cafe.arrays["scores"][...] = jnp.ones_like(cafe.arrays["scores"][...])
    before = jax.tree.map(jnp.copy, table.stored())
    assert table.maintain(Context.still()) == {}
    np.testing.assert_allclose(cafe.arrays["scores"][...], CAFE().decay)
    jax.tree.map(np.testing.assert_array_equal, table.stored(), before)
    rows = {name: jnp.ones((5, 3, row[...].shape[1])) for name, row in table.rows.items()}
    assert set(table.observe(RANKS, rows, Context.still())) == {"cold.weight"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: HotCold(values=0), "got values=0"),
        (lambda: HotCold(share=1.0), "share=1.0"),
        (lambda: INT8(of=HotCold(cold=INT4())), "INT8 stores the float rows of another method"),
        (lambda: built(HotCold(CAFE(every=5), CAFE()), 4, FIELDS), "periods of 5 and 100 steps"),
        (lambda: built(HotCold(), 4, (Field("text", None, salt=1),)), "'text', which is hashed"),
    ],
)
def test_impossible_pairs_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.slow
def test_hot_rows_are_worth_having():
    """Frequent items have effects of their own, which shared rows mix up."""
    method = HotCold(Full(), Hash(rows=4), values=SEEN_OFTEN)
    assert auc(method) > auc(dataclasses.replace(method, values=1)) + 0.02
