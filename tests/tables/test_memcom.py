"""MEmCom: a shared row times a scalar of its own, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from recsys.tables import INT8, MEmCom
from recsys.tables.base import Field, payload_bytes
from tests.tables.lookup import built, everyone, keys, look_up

pytestmark = pytest.mark.slow

FIELDS = (Field("item", 5, salt=1),)
LARGE = (Field("item", 4000, salt=1),)


@pytest.mark.parametrize("has_bias", [False, True])
def test_a_vector_is_the_shared_row_times_the_scalar_of_its_value(has_bias):
    """One shared row (2, -3); value 3 has the scalar 0.5 and, where there is one, the bias 10."""
    table = built(MEmCom(rows=1, has_bias=has_bias), 2, FIELDS)
    table.rows["shared"][...] = table.rows["shared"][...].at[0].set(jnp.array([2.0, -3.0]))
    own = jnp.array([0.5, 10.0])[: 1 + has_bias]
    table.rows["own"][...] = table.rows["own"][...].at[3].set(own)
    key = keys([[3, 3]], valid=[[True, False]])
    expected = [[1 + 10 * has_bias, -1.5 + 10 * has_bias], [0, 0]]
    np.testing.assert_array_equal(look_up(table, key)[0], expected)


def test_values_of_one_shared_row_have_vectors_of_their_own():
    """All along one line, since that is what a scalar can do."""
    vectors = look_up(built(MEmCom(rows=1), 4, FIELDS), everyone(5))[:, 0]
    assert len(np.unique(vectors, axis=0)) == 5
    assert np.linalg.matrix_rank(vectors, tol=1e-6) == 1


def test_vectors_start_with_the_spread_of_a_plain_row_and_shared_gradients_do_not_add_up():
    table = built(MEmCom(rows=900), 8, LARGE)
    vectors = look_up(table, everyone(4000))[:, 0]
    np.testing.assert_allclose(vectors.std(), 0.05 / np.sqrt(3), rtol=0.05)
    scalars = np.asarray(table.rows["own"][...][:4000])
    assert abs(scalars.mean()) < 0.05


def test_the_scalars_alone_are_the_floor():
    assert MEmCom().within(4 * 8 + 4 * 4000, 8, LARGE) == MEmCom(rows=1)
    with pytest.raises(ValueError, match="MEmCom needs at least 32,032 bytes"):
        MEmCom(has_bias=True).within(32_031, 8, LARGE)


def test_its_rows_may_be_stored_as_integers():
    method = INT8(of=MEmCom(rows=3, has_bias=True))
    table, floats = built(method, 8, FIELDS), built(method.of, 8, FIELDS)
    assert payload_bytes(table.freeze()) == method.table_bytes(8, FIELDS) == 3 * 10 + 5 * 4
    key = everyone(5)
    np.testing.assert_allclose(look_up(table, key), look_up(floats, key), atol=0.01)


def test_no_rows_at_all_are_refused():
    with pytest.raises(ValueError, match="between one row and"):
        MEmCom(rows=0)
