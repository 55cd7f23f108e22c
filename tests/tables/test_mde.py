"""MDE: widths and vectors by hand, and a dial over all the widths there are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export

from recsys.tables import MDE, Full
from recsys.tables.base import OUT, Field, Keys, Row, Span, payload_bytes
from recsys.tables.mde import MDETable

THREE = (Field("small", 100, salt=1), Field("middle", 400, salt=2), Field("large", 6400, salt=3))


def table_of(method: MDE, *, dim: int = 16, fields: tuple[Field, ...] = THREE) -> MDETable:
    return method.build(dim, fields, rngs=nnx.Rngs(0))


def keys(low: list[list[int]], *spans: Span, valid: list[list[bool]] | None = None) -> Keys:
    """Keys that are ranks."""
    ranks = jnp.asarray(low, jnp.uint32)
    is_there = jnp.ones(ranks.shape, bool) if valid is None else jnp.asarray(valid)
    return Keys(jnp.zeros_like(ranks), ranks, is_there, spans)


def test_widths_fall_with_the_root_of_the_vocabulary_at_alpha_one_half():
    """16 * 1^-.5 = 16; 16 * 4^-.5 = 8; 16 * 64^-.5 = 2."""
    method = MDE(alpha=0.5)
    assert method.widths(16, THREE) == (16, 8, 2)
    numbers = 100 * 16 + (400 * 8 + 8 * 16) + (6400 * 2 + 2 * 16)
    assert method.table_bytes(16, THREE) == 4 * numbers == 71_040


@pytest.mark.parametrize(
    ("alpha", "base", "widths"),
    [
        (0.0, None, (16, 16, 16)),
        (0.3, None, (16, 8, 4)),  # 16 * 4^-.3 = 10.6, and 16 * 64^-.3 = 4.6
        (0.2, None, (16, 16, 8)),  # 16 * 4^-.2 = 12.1, and 16 * 64^-.2 = 7.0
        (1.0, None, (16, 4, 1)),  # 16 / 64 = 0.25, and no row is narrower than 1
        (0.0, 3.0, (4, 4, 4)),
        (1.0, 4.0, (4, 1, 1)),
    ],
)
def test_widths_are_rounded_to_powers_of_two_between_one_and_dim(alpha, base, widths):
    assert MDE(alpha, base).widths(16, THREE) == widths


def test_a_width_that_is_no_power_of_two_is_kept_whole():
    assert MDE(alpha=0.0).widths(11, THREE) == (11, 11, 11)
    assert MDE(alpha=0.0, base=10.0).widths(11, THREE) == (8, 8, 8)


def test_a_feature_whose_matrix_costs_more_than_narrow_rows_save_stays_wide():
    """7 values at width 8: 7 * 8 + 8 * 16 = 184 numbers; at width 16 they are 112."""
    fields = (Field("tiny", 7, salt=1), *THREE)
    assert MDE(alpha=0.0, base=8.0).widths(16, fields) == (16, 8, 8, 8)
    assert MDE(alpha=0.0, base=1.0).widths(16, fields) == (1, 1, 1, 1)  # 7 + 16 numbers


@pytest.mark.slow
def test_vectors_are_narrow_rows_times_the_matrix_of_their_own_feature():
    """Widths 2, 4 and 2 of 4; row r of the first array is (r, 1), of the second (r, 0, 0, r)."""
    fields = (Field("a", 20, salt=1), Field("b", 4, salt=2), Field("c", 30, salt=3))
    table = table_of(MDE(alpha=0.5), dim=4, fields=fields)
    assert table.widths == (2, 4, 2)
    assert table.heights == {"width2": 20 + 30, "width4": 4}
    ranks = np.arange(512, dtype=np.float32)
    table.rows["width2"][...] = jnp.asarray(np.stack([ranks, np.ones(512, np.float32)], axis=1))
    table.rows["width4"][...] = jnp.asarray(ranks[:, None] * np.array([[1, 0, 0, 1]], np.float32))
    table.matrices["0"][...] = jnp.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    table.matrices["2"][...] = jnp.array([[0.0, 0, 2, 0], [1, 1, 1, 1]])

    key = keys([[7, 3, 5, 6]], Span(0, 0, 1), Span(1, 1, 2), Span(2, 2, 4))
    address = table.address(key)
    np.testing.assert_array_equal(address["width2"], [[7, 20 + 5, 20 + 6]])
    np.testing.assert_array_equal(address["width4"], [[3]])
    expected = [[[7, 1, 0, 0], [3, 0, 0, 3], [1, 1, 51, 1], [1, 1, 53, 1]]]
    np.testing.assert_allclose(table(key), expected)
    for place, span in enumerate(key.spans):
        np.testing.assert_allclose(table(key.part(span)), table(key)[:, span.start : span.stop])
        assert list(table.address(key.part(span))) == [["width2", "width4", "width2"][place]]


@pytest.mark.slow
def test_padding_reads_nothing_and_ranks_beyond_the_vocabulary_are_unknown():
    table = table_of(MDE(alpha=0.5))
    key = keys([[5, 400, 9]], *(Span(n, n, n + 1) for n in range(3)), valid=[[True, True, False]])
    address = table.address(key)
    assert {name: rows.tolist() for name, rows in address.items()} == {
        "width16": [[5]],
        "width8": [[399]],
        "width2": [[OUT]],
    }
    np.testing.assert_array_equal(table(key)[0, 2], np.zeros(16))


@pytest.mark.slow
@pytest.mark.parametrize("base", [1.0, 2.0, 4.0, 8.0, None])
def test_vectors_start_on_the_scale_of_full_at_every_width(base):
    rows = np.asarray(Full().build(16, THREE[2:], rngs=nnx.Rngs(0)).stored()["weight"])[:6400]
    key = keys(np.arange(6400).reshape(-1, 1).tolist(), Span(0, 0, 1))
    vectors = np.asarray(table_of(MDE(base=base), fields=THREE[2:])(key))
    assert np.abs(vectors).max() <= 0.05
    np.testing.assert_allclose(vectors.std(), rows.std(), rtol=0.03)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 10**6), min_size=1, max_size=5),
    dim=st.integers(1, 33),
    share=st.floats(0, 1.2),
)
def test_the_dial_runs_from_one_number_a_value_to_full_in_distinct_steps(sizes, dim, share):
    fields = tuple(Field(str(n), size, salt=n) for n, size in enumerate(sizes))
    dial = MDE().dial(dim, fields)
    specs = [dial.make(number) for number in range(dial.settings)]
    costs = [spec.table_bytes(dim, fields) for spec in specs]
    assert costs == sorted(set(costs))
    widths = [spec.widths(dim, fields) for spec in specs]
    assert set(widths[-1]) == {dim}
    assert all(
        width == 1 or size + dim >= size * dim for width, size in zip(widths[0], sizes, strict=True)
    )
    assert (np.diff(widths, axis=0) >= 0).all()
    budget = costs[0] + int(share * (costs[-1] - costs[0]))
    fitted = MDE().within(budget, dim, fields).table_bytes(dim, fields)
    assert fitted == max(cost for cost in costs if cost <= budget)


def test_a_single_feature_is_compressed_by_its_base_width():
    dial = MDE(initial=0.1).dial(16, THREE[2:])
    specs = [dial.make(number) for number in range(dial.settings)]
    assert [spec.widths(16, THREE[2:]) for spec in specs] == [(1,), (2,), (4,), (8,), (16,)]
    assert {spec.initial for spec in specs} == {0.1}


@pytest.mark.slow
def test_the_frozen_table_has_the_bytes_that_were_reported_and_the_same_vectors():
    table = table_of(MDE(alpha=0.5))
    frozen = table.freeze()
    assert payload_bytes(frozen) == MDE(alpha=0.5).table_bytes(16, THREE)
    key = keys([[99, 399, 6399], [0, 0, 0]], *(Span(n, n, n + 1) for n in range(3)))
    np.testing.assert_array_equal(frozen(key), table(key))


def test_a_hashed_feature_is_refused():
    with pytest.raises(ValueError, match="needs a vocabulary for feature 'text', which is hashed"):
        MDE().build(16, (Field("text", None, salt=1),), rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "between 0 and 1, got alpha=-0.1"),
        ({"alpha": 1.5}, "between 0 and 1, got alpha=1.5"),
        ({"base": 0.5}, "at least 1 wide, got base=0.5"),
    ],
)
def test_impossible_widths_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MDE(**options)


@pytest.mark.slow
def test_lookup_lowers_for_cuda_and_tpu():
    graph, state = nnx.split(table_of(MDE(alpha=0.5)).freeze())
    key = keys([[1, 2, 3]], *(Span(n, n, n + 1) for n in range(3)))

    def look_up(state, low, valid):
        return nnx.merge(graph, state)(Keys(jnp.zeros_like(low), low, valid, key.spans))

    exported = export.export(jax.jit(look_up), platforms=["cuda", "tpu"])
    assert set(exported(state, key.low, key.valid).platforms) == {"cuda", "tpu"}


def test_rows_are_widths_of_the_spec_and_nothing_else():
    table = table_of(MDE(alpha=0.5))
    assert {name: row[...].shape for name, row in table.rows.items()} == {
        "width2": (6656, 2),
        "width8": (512, 8),
        "width16": (512, 16),
    }
    assert all(isinstance(row, Row) for row in table.rows.values())
    assert {name: m[...].shape for name, m in table.matrices.items()} == {
        "1": (8, 16),
        "2": (2, 16),
    }
