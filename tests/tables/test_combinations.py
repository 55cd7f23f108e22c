"""Combinations: storages of every kind of method, and pairs of methods, keep the contract too."""

import pytest

from recsys.tables import (
    ALPT,
    DHE,
    DPQ,
    INT4,
    INT8,
    MGQE,
    Hash,
    TTRec,
)
from tests.tables import test_contract as contract
from tests.tables.examples import COMBINATIONS
from tests.training.runs import cases, run


@pytest.mark.slow
@pytest.mark.parametrize(("method", "layout"), cases(COMBINATIONS, "unified"))
def test_a_combination_keeps_the_contract(method, layout):
    trained = run(method, layout, steps=12)
    contract.test_a_step_is_that_of_dense_training(trained)
    contract.test_freezing_gives_the_same_vectors(trained)
    contract.test_saved_arrays_are_as_large_as_reported(trained)
    contract.test_a_label_that_is_not_a_number_changes_nothing_at_all(trained)


@pytest.mark.parametrize("base", [DHE(), TTRec()], ids=["dhe", "ttrec"])
def test_a_method_without_rows_has_nothing_to_store(base):
    with pytest.raises(ValueError, match=f"got {type(base).__name__}, which has none"):
        INT8(of=base)


@pytest.mark.parametrize(
    "base", [DPQ(of=Hash()), MGQE(), INT8(), ALPT()], ids=lambda b: str(type(b))
)
def test_codes_are_not_stored_again(base):
    with pytest.raises(ValueError, match="INT4 stores the float rows of another method, got"):
        INT4(of=base)
