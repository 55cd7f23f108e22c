"""Repeats against numpy: the same first places and the same sums, on one device and on eight."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from recsys.parallel.repeats import REPEATS, TOTALS
from recsys.tables.base import OUT

WAYS = sorted(REPEATS)


def expected_first(ids: np.ndarray) -> np.ndarray:
    seen: dict[int, int] = {}
    return np.array(
        [i if row == OUT else seen.setdefault(row, i) for i, row in enumerate(ids.tolist())]
    )


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(
        st.one_of(st.integers(0, 9), st.integers(0, OUT - 1), st.just(OUT)),
        min_size=64,
        max_size=64,
    )
)
def test_every_place_is_led_to_the_earliest_place_of_its_id(way, ids):
    ids = np.array(ids, np.int32)
    np.testing.assert_array_equal(jax.jit(REPEATS[way])(ids), expected_first(ids))


@pytest.mark.slow
@pytest.mark.parametrize("places", [1, 2, 3, 1000])
def test_any_number_of_places_will_do(way, places):
    ids = np.random.default_rng(places).integers(0, 5, places).astype(np.int32)
    np.testing.assert_array_equal(REPEATS[way](jnp.asarray(ids)), expected_first(ids))


@pytest.mark.slow
def test_a_batch_of_padding_stands_for_itself(way):
    ids = jnp.full(16, OUT, jnp.int32)
    np.testing.assert_array_equal(REPEATS[way](ids), np.arange(16))


def test_neighbouring_ids_are_told_apart(way):
    ids = np.arange(4096, dtype=np.int32) * 4096
    np.testing.assert_array_equal(jax.jit(REPEATS[way])(ids), np.arange(4096))


@pytest.mark.slow
def test_sums_stand_at_the_first_place_and_zeros_elsewhere(way):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 40, 512).astype(np.int32)
    ids[::7] = OUT
    values = rng.normal(size=(512, 3)).astype(np.float32)
    first = expected_first(ids).astype(np.int32)
    expected = np.zeros((512, 3))
    np.add.at(expected, first, values)
    got = jax.jit(TOTALS[way])(values, first)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert not np.any(np.asarray(got)[first != np.arange(512)])


@pytest.mark.slow
def test_eight_devices_agree_with_numpy(way, mesh8):
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 100, 1024).astype(np.int32)
    ids[::11] = OUT
    values = rng.normal(size=(1024, 4)).astype(np.float32)
    spread = NamedSharding(mesh8, PartitionSpec("rows"))
    first = jax.jit(REPEATS[way])(jax.device_put(ids, spread))
    np.testing.assert_array_equal(first, expected_first(ids))
    sums = jax.jit(TOTALS[way])(jax.device_put(values, spread), jax.device_put(first, spread))
    expected = np.zeros((1024, 4))
    np.add.at(expected, np.asarray(first), values)
    np.testing.assert_allclose(sums, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_both_steps_lower_for_accelerators(way, platform):
    ids = jax.ShapeDtypeStruct((256,), jnp.int32)
    values = jax.ShapeDtypeStruct((256, 8), jnp.float32)
    for step, shapes in ((REPEATS[way], (ids,)), (TOTALS[way], (values, ids))):
        lowered = jax.export.export(jax.jit(step), platforms=(platform,))(*shapes)
        assert lowered.platforms == (platform,)


def test_the_way_by_sorting_never_adds_in_a_scatter():
    ids = jax.ShapeDtypeStruct((256,), jnp.int32)
    values = jax.ShapeDtypeStruct((256, 8), jnp.float32)
    names = {eqn.primitive.name for eqn in jax.make_jaxpr(TOTALS["sort"])(values, ids).eqns}
    assert "scatter" in names
    assert "scatter-add" not in names
