"""DPQ: codes, vectors, penalty and gradients by hand; packed codes; the dial; what is refused."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export

from recsys.parallel.mesh import make_mesh, split, whole
from recsys.tables import DPQ, INT8, Hash
from recsys.tables.base import Context, Field, Keys, Span, payload_bytes
from recsys.tables.dpq import DPQTable

pytestmark = pytest.mark.slow

FIELDS = (Field("item", 4, salt=1),)
EXAMPLE = DPQ(parts=4, centroids=16)
CODEBOOK = [[[0.0, 0.0], [1, 0], [0, 1], [1, 1]], [[0, 0], [2, 0], [0, 2], [2, 2]]]
QUERIES = [[0.9, 0.2, 1.5, 1.5], [0.1, 0.7, 0.4, -0.3], [9, 9, 9, 9], [9, 9, 9, 9]]


def by_hand() -> DPQTable:
    """Two parts of four centroids, and two rows that are known."""
    table = DPQ(parts=2, centroids=4).build(4, FIELDS, rngs=nnx.Rngs(0))
    table.codebook[...] = jnp.array(CODEBOOK)
    table.rows["query"][...] = jnp.pad(jnp.array(QUERIES), ((0, 508), (0, 0)))
    return table


def ranks(low: list[list[int]], valid: list[list[bool]] | None = None) -> Keys:
    """Keys of one field that are ranks."""
    array = jnp.asarray(low, jnp.uint32)
    is_there = jnp.ones(array.shape, bool) if valid is None else jnp.asarray(valid)
    return Keys(jnp.zeros_like(array), array, is_there, (Span(0, 0, array.shape[1]),))


def everything(rows: int) -> Keys:
    return ranks(np.arange(rows).reshape(-1, 1).tolist())


def test_a_part_is_replaced_by_its_nearest_centroid():
    table = by_hand()
    np.testing.assert_array_equal(table.codes(jnp.array(QUERIES[:2])), [[1, 3], [2, 0]])
    np.testing.assert_array_equal(table(ranks([[0], [1]]))[:, 0], [[1, 0, 2, 2], [0, 1, 0, 0]])


def test_two_codes_of_two_bits_share_a_byte():
    frozen = by_hand().freeze()
    packed = np.asarray(frozen.rows["codes"][...])
    np.testing.assert_array_equal(packed, [[1 + 3 * 4], [2 + 0 * 4], [15], [15]])
    assert payload_bytes(frozen) == 4 * 1 + 4 * (2 * 4 * 2)
    assert DPQ(parts=2, centroids=4).table_bytes(4, FIELDS) == payload_bytes(frozen)


def test_the_penalty_is_the_mean_square_of_what_is_not_padding():
    """Row 0 is off by .1, .2, .5, .5 and row 1 by .1, .3, .4, .3: .9 in all, over 8 numbers."""
    table, key = by_hand(), ranks([[0, 1], [2, 3]], [[True, True], [False, False]])
    rows = {"query": jnp.array(QUERIES).reshape(2, 2, 4)}
    penalty = table.penalty(rows, key, Context.still())
    np.testing.assert_allclose(penalty, 0.9 / 8 + 0.25 * 0.9 / 8, rtol=1e-6)
    nobody = dataclasses.replace(key, valid=jnp.zeros((2, 2), bool))
    assert table.penalty(rows, nobody, Context.still()) == 0


def test_the_penalty_moves_centroids_to_their_queries_and_queries_to_their_centroids():
    """Twice the difference over 8: the whole of it for a centroid, a quarter for a query."""
    graph, params, rest = nnx.split(by_hand(), nnx.Param, ...)
    key = ranks([[0, 1], [2, 3]], [[True, True], [False, False]])

    def penalty(params, query):
        table = nnx.merge(graph, params, rest)
        return table.penalty({"query": query}, key, Context.still())

    query = jnp.array(QUERIES).reshape(2, 2, 4)
    centroids, queries = jax.grad(penalty, argnums=(0, 1))(params, query)
    expected = np.zeros((2, 4, 2))
    expected[0, 1], expected[0, 2] = [0.1 / 4, -0.2 / 4], [-0.1 / 4, 0.3 / 4]
    expected[1, 3], expected[1, 0] = [0.5 / 4, 0.5 / 4], [-0.4 / 4, 0.3 / 4]
    np.testing.assert_allclose(centroids["codebook"][...], expected, atol=1e-7)
    off = np.array([[-0.1, 0.2, -0.5, -0.5], [0.1, -0.3, 0.4, -0.3]])
    np.testing.assert_allclose(queries[0], off / 16, atol=1e-7)
    np.testing.assert_array_equal(queries[1], np.zeros((2, 4)))


def test_the_gradient_of_a_vector_is_that_of_its_query_and_not_of_the_codebook():
    graph, params, rest = nnx.split(by_hand(), nnx.Param, ...)
    weight = jnp.array([[1.0, -2, 3, 0.5]])

    def weighed(params, query):
        table = nnx.merge(graph, params, rest)
        return jnp.sum(weight * table.decode({"query": query}, ranks([[0]]), Context.still())[0])

    grads = jax.grad(weighed, argnums=(0, 1))(params, jnp.array([QUERIES[:1]]))
    np.testing.assert_array_equal(grads[0]["codebook"][...], np.zeros((2, 4, 2)))
    np.testing.assert_array_equal(grads[1][0], weight)


def test_sx_reads_the_value_of_the_best_key_and_learns_as_a_softmax_would():
    """Keys (3, 0) and (0, 5) made 1 long, query (1, 2): scores 1 and 2, over their mean square."""
    table = DPQ(parts=1, centroids=2, mode="sx").build(2, FIELDS, rngs=nnx.Rngs(0))
    assert table.keys is not None
    table.keys[...], table.codebook[...] = (
        jnp.array([[[3.0, 0], [0, 5]]]),
        jnp.array([[[7.0, 1], [2, 4]]]),
    )
    graph, params, rest = nnx.split(table, nnx.Param, ...)
    weight = jnp.array([1.0, -1])

    def weighed(params, query):
        own = nnx.merge(graph, params, rest)
        return jnp.sum(weight * own.decode({"query": query}, ranks([[0]]), Context.still())[0, 0])

    def softened(query, keys):
        scores = keys[0] / jnp.linalg.norm(keys[0], axis=1, keepdims=True) @ query[0, 0]
        share = jax.nn.softmax(scores / jnp.sqrt(jnp.mean(scores**2)))
        return weight @ (share @ jnp.array([[7.0, 1], [2, 4]]))

    query = jnp.array([[[1.0, 2]]])
    np.testing.assert_array_equal(table.codes(query), [[[1]]])
    value, grads = jax.value_and_grad(weighed, argnums=(0, 1))(params, query)
    assert value == 2 - 4
    expected = jax.grad(softened, argnums=(0, 1))(query, table.keys[...])
    np.testing.assert_allclose(grads[1], expected[0], rtol=1e-5)
    np.testing.assert_allclose(grads[0]["keys"][...], expected[1], rtol=1e-5)
    np.testing.assert_array_equal(grads[0]["codebook"][...], [[[0, 0], [1, -1]]])
    assert table.penalty({"query": query}, ranks([[0]]), Context.still()) == 0


@pytest.mark.parametrize("mode", ["vq", "sx"])
@pytest.mark.parametrize(("parts", "centroids"), [(4, 64), (1, 2), (8, 256), (16, 8)])
def test_the_frozen_table_gives_the_same_bits_in_the_bytes_that_were_reported(
    mode, parts, centroids
):
    method, fields = DPQ(parts=parts, centroids=centroids, mode=mode), (Field("a", 3001, salt=1),)
    table = method.build(16, fields, rngs=nnx.Rngs(0))
    frozen = table.freeze()
    assert payload_bytes(frozen) == method.table_bytes(16, fields)
    bits = parts * (centroids - 1).bit_length()
    assert frozen.rows["codes"][...].shape == (3001, -(-bits // 8))
    key = everything(3001)
    trained = jax.jit(lambda table, key: table(key))(table, key)
    served = jax.jit(lambda table, key: table(key))(frozen, key)
    np.testing.assert_array_equal(
        np.asarray(served).view(np.int32), np.asarray(trained).view(np.int32)
    )
    np.testing.assert_array_equal(frozen.freeze()(key), served)


def test_padding_is_zero_whatever_its_centroid():
    table, key = by_hand(), ranks([[0, 1]], [[True, False]])
    table.codebook[...] = table.codebook[...] + 1.0
    for form in (table, table.freeze()):
        assert form(key)[0, 0].any()
        np.testing.assert_array_equal(form(key)[0, 1], np.zeros(4))


def test_freezing_takes_no_memory_beside_the_codes():
    table = DPQ(parts=8, centroids=256).build(16, (Field("a", 50_000, salt=1),), rngs=nnx.Rngs(0))
    graph, state = nnx.split(table)
    freeze = jax.jit(lambda state: nnx.state(nnx.merge(graph, state).freeze()))
    used: Any = freeze.lower(state).compile().memory_analysis()
    rows = table.rows["query"][...].nbytes
    assert used.output_size_in_bytes < rows / 3
    assert (
        used.temp_size_in_bytes < rows / 3
    )  # a score for each centroid would be 128 times the rows


def test_a_table_split_over_devices_freezes_to_the_same_codes():
    table, mesh = EXAMPLE.build(8, (Field("a", 2000, salt=1),), rngs=nnx.Rngs(0)), make_mesh()
    alone = np.asarray(table.freeze().rows["codes"][...])
    table.rows["query"][...] = jax.device_put(table.rows["query"][...], split(mesh))
    table.codebook[...] = jax.device_put(table.codebook[...], whole(mesh))
    np.testing.assert_array_equal(table.freeze().rows["codes"][...], alone)


def test_lookup_lowers_for_cuda_and_tpu():
    graph, state = nnx.split(EXAMPLE.build(8, (Field("a", 99, salt=1),), rngs=nnx.Rngs(0)).freeze())

    def look_up(state, low, valid):
        key = Keys(jnp.zeros_like(low), low, valid, (Span(0, 0, 3),))
        return nnx.merge(graph, state)(key)

    key = ranks([[1, 2, 3]])
    exported = export.export(jax.jit(look_up), platforms=["cuda", "tpu"])
    assert set(exported(state, key.low, key.valid).platforms) == {"cuda", "tpu"}


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(2, 10**7), dim=st.sampled_from([1, 4, 6, 16]), share=st.floats(0, 1.2))
def test_a_larger_setting_costs_more_and_says_more(rows, dim, share):
    fields = (Field("a", rows, salt=1),)
    dial = DPQ(commitment=0.5).dial(dim, fields)
    specs = [dial.make(number) for number in range(dial.settings)]
    costs = [spec.table_bytes(dim, fields) for spec in specs]
    assert costs == sorted(set(costs))
    says = [(spec.parts * (spec.centroids - 1).bit_length(), spec.centroids) for spec in specs]
    assert says == sorted(set(says))
    assert all(spec.centroids <= rows and spec.commitment == 0.5 for spec in specs)
    assert costs[0] == rows + 4 * 2 * dim  # a byte a row, and two centroids
    assert specs[0].parts == max(n for n in (1, 2, 3, 4, 6, 8) if dim % n == 0)  # as good as one
    budget = costs[0] + int(share * (costs[-1] - costs[0]))
    fitted = DPQ().within(budget, dim, fields).table_bytes(dim, fields)
    assert fitted == max(cost for cost in costs if cost <= budget)


def test_over_hash_the_rows_are_the_dial():
    method, fields = (
        DPQ(of=Hash(initial=0.1), parts=4, centroids=64),
        (Field("text", None, salt=1),),
    )
    floor = 64 * 3 + 4 * 64 * 16  # 4 codes of 6 bits are 3 bytes
    assert method.within(floor, 16, fields).of == Hash(rows=64, initial=0.1)
    fitted = method.within(floor + 3 * 1000 + 2, 16, fields)
    assert fitted == dataclasses.replace(method, of=Hash(rows=1064, initial=0.1))
    table = fitted.build(16, fields, rngs=nnx.Rngs(0))
    assert payload_bytes(table.freeze()) == fitted.table_bytes(16, fields) == floor + 3000
    low = jnp.arange(100, dtype=jnp.uint32).reshape(-1, 1)
    key = Keys(low * 77, low, jnp.ones((100, 1), bool), (Span(0, 0, 1),))
    np.testing.assert_array_equal(table.address(key)["query"], table.inner.address(key)["weight"])
    np.testing.assert_array_equal(table.freeze()(key), table(key))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": DPQ()}, "stored as they are, got DPQ"),
        ({"of": INT8()}, "stored as they are, got INT8"),
        ({"centroids": 48}, "power of two of centroids, from 2 to 256, got 48"),
        ({"centroids": 512}, "power of two of centroids, from 2 to 256, got 512"),
        ({"centroids": 1}, "power of two of centroids, from 2 to 256, got 1"),
        ({"mode": "pq"}, "Unknown mode of DPQ 'pq': known are vq, sx"),
        ({"parts": 0}, "parts >= 1.*got parts=0"),
        ({"commitment": -1.0}, "commitment >= 0.*commitment=-1.0"),
        ({"temperature": 0.0}, "temperature > 0.*temperature=0.0"),
    ],
)
def test_impossible_codes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DPQ(**options)


def test_parts_that_do_not_divide_the_vector_are_refused():
    with pytest.raises(ValueError, match="got dim=8 and parts=3: use one of 1, 2, 4, 8 parts"):
        DPQ(parts=3).table_bytes(8, FIELDS)
    with pytest.raises(ValueError, match="got dim=8 and parts=3: use one of 1, 2, 4, 8 parts"):
        DPQ(parts=3, centroids=2).build(8, FIELDS, rngs=nnx.Rngs(0))


def test_a_codebook_taller_than_the_table_is_refused():
    with pytest.raises(ValueError, match="centroids=256 for 100 rows: use at most 64"):
        DPQ().build(8, (Field("a", 100, salt=1),), rngs=nnx.Rngs(0))
