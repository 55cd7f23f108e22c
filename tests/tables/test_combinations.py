"""Combinations: storages of every kind of method, and pairs of methods, keep the contract too."""

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.tables import (
    ALPT,
    CAFE,
    DHE,
    DPQ,
    FP16,
    INT4,
    INT8,
    INT16,
    MDE,
    MGQE,
    QR,
    ROBE,
    Hash,
    MEmCom,
    MultiHash,
    TTRec,
)
from recsys.tables.base import Field, payload_bytes
from tests.tables import test_contract as contract
from tests.tables.examples import COMBINATIONS
from tests.tables.lookup import built, keys, look_up
from tests.training.runs import cases, run

FIELDS = (Field("one", 90, salt=1), Field("two", 60, salt=2))
KEY = keys(np.arange(60).reshape(30, 2), fields=2)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "layout"), cases(COMBINATIONS, "unified"))
def test_a_combination_keeps_the_contract(method, layout):
    trained = run(method, layout, steps=12)
    contract.test_a_step_is_that_of_dense_training(trained)
    contract.test_freezing_gives_the_same_vectors(trained)
    contract.test_saved_arrays_are_as_large_as_reported(trained)
    contract.test_a_label_that_is_not_a_number_changes_nothing_at_all(trained)


BASES = {
    "hash": Hash(rows=40),
    "multihash": MultiHash(rows=40),
    "qr_sum": QR(rows=20, by="sum"),
    "robe": ROBE(rows=40, z=4),
    "memcom": MEmCom(rows=40),
    "mde": MDE(base=4.0),
    "cafe": CAFE(rows=40, ways=4, middle=0.5),
}
WIDTH_ONE = {"memcom"}  # its scalars: two codes of 4 bits do not fit a row of one


@pytest.mark.slow
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("storage", [FP16, INT16, INT8, INT4, ALPT])
def test_every_storage_holds_the_rows_of_every_base(storage, base):
    """At its own bytes, to its own precision: no step is wider than a seventh of the largest."""
    method, floats = storage(of=BASES[base]), built(BASES[base], 8, FIELDS)
    if storage is INT4 and base in WIDTH_ONE:
        with pytest.raises(ValueError, match="even width, got a width of 1: use an even dim"):
            built(method, 8, FIELDS)
        return
    table = built(method, 8, FIELDS)
    frozen = jax.jit(lambda own: own.freeze())(table)
    assert payload_bytes(frozen) == method.table_bytes(8, FIELDS) < floats_bytes(floats)
    stored, exact = look_up(table, KEY), look_up(floats, KEY)
    np.testing.assert_allclose(look_up(frozen, KEY), stored, rtol=1e-6, atol=1e-7)
    assert np.abs(stored - exact).max() <= np.abs(exact).max() / 5
    assert (stored != exact).any()


@pytest.mark.parametrize("base", [DHE(), TTRec()], ids=["dhe", "ttrec"])
def test_a_method_without_rows_has_nothing_to_store(base):
    with pytest.raises(ValueError, match=f"got {type(base).__name__}, which has none"):
        INT8(of=base)


def floats_bytes(table) -> int:
    return payload_bytes(nnx.clone(table).freeze())


@pytest.mark.parametrize(
    "base", [DPQ(of=Hash()), MGQE(), INT8(), ALPT()], ids=lambda b: str(type(b))
)
def test_codes_are_not_stored_again(base):
    with pytest.raises(ValueError, match="INT4 stores the float rows of another method, got"):
        INT4(of=base)
