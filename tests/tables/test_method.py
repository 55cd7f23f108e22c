"""What a method says of itself: what it needs is what it refuses to do without, and what it keeps
in training is what it says.
"""

import dataclasses
from typing import Any

import jax
import pytest
from flax import nnx

from recsys.tables.base import Field
from tests.tables.examples import EXAMPLES

DIM = 8
FIELDS = (Field("item", 4000, salt=1, counts=((9, 400), (2, 3000), (1, 600))),)
WITHOUT: dict[str, Any] = {
    "vocabulary": {"values": None, "counts": None},
    "counts": {"counts": None},
}
EACH = pytest.mark.parametrize("name", EXAMPLES)


@EACH
@pytest.mark.parametrize("need", WITHOUT)
def test_what_it_needs_is_what_it_refuses_to_do_without(name, need):
    method = EXAMPLES[name]
    fields = tuple(dataclasses.replace(field, **WITHOUT[need]) for field in FIELDS)
    if need in method.needs:
        with pytest.raises(ValueError, match="feature 'item'"):
            method.table_bytes(DIM, fields)
    else:
        assert method.table_bytes(DIM, fields) > 0


@EACH
def test_what_trains_within_its_budget_keeps_no_more_than_it_saves(name):
    """But for the 512 rows that arrays are padded to, and a sketch, which is apart."""
    method = EXAMPLES[name]

    def arrays() -> dict[str, Any]:
        table = method.build(DIM, FIELDS, rngs=nnx.Rngs(0))
        rows = {name: row[: table.heights[name]] for name, row in table.stored().items()}
        return {"rows": rows, "params": nnx.state(table, nnx.Param)}

    kept = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(arrays)))
    saved = method.table_bytes(DIM, FIELDS)
    assert (kept <= 1.2 * saved) == method.trains_within_budget
