"""Ways of compressing vectors: every one keeps to its budget and opens without the original."""

import numpy as np
import pytest

from recsys.vectors import VECTOR_METHODS, Fidelity, compress, fidelity, load
from recsys.vectors.bits import pack, unpack
from recsys.vectors.file import Compressed, compressed, opened
from recsys.vectors.magnitude import grouped
from recsys.vectors.tt import core_bytes, digits, factors

ROWS, DIM = 700, 16


def drawn(rows: int = ROWS, dim: int = DIM, *, seed: int = 0) -> np.ndarray:
    """Vectors of a few directions and some noise, a few of them long."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(rows, 3)) @ rng.normal(size=(3, dim)) + rng.normal(size=(rows, dim)) / 4
    length = 1 + 9 * (np.arange(rows) % 10 == 0)
    return (base * length[:, None]).astype(np.float32)


VECTORS = drawn()
METHODS = [pytest.param(n, marks=pytest.mark.slow if n == "opq" else ()) for n in VECTOR_METHODS]
BUDGET = {"int8": 0.35, "int16": 0.6}  # of the bytes; the others 0.5


def _compressed(name: str, vectors: np.ndarray = VECTORS) -> Compressed:
    budget = int(BUDGET.get(name, 0.5) * vectors.nbytes)
    arrays = compressed(vectors, name, budget_bytes=budget)
    found = opened(name, arrays, shape=vectors.shape)
    assert found.arrays_bytes <= budget + 64  # shapes, as a few numbers
    return found


def _measured(found: Compressed) -> Fidelity:
    return fidelity(VECTORS, found, ks=(10,), queries=100)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_keeps_to_its_budget_and_most_of_what_is_near(name):
    found = _measured(_compressed(name))
    assert found.bytes <= 0.61 * VECTORS.nbytes
    assert found.recall[10] > (0.3 if name == "dedup" else 0.55)
    assert found.relative_error < 0.6


@pytest.mark.parametrize("name", METHODS)
def test_a_file_opens_without_the_original(name, tmp_path):
    path = tmp_path / "vectors"
    budget = int(BUDGET.get(name, 0.5) * VECTORS.nbytes)
    written = compress(VECTORS, name, budget_bytes=budget, path=path)
    ids = np.array([ROWS - 1, 3, 3, 0])
    found = load(path).decode(ids)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, written.decode(np.arange(ROWS))[ids])
    assert path.stat().st_size < written.arrays_bytes + 4096
    assert [path.name for path in tmp_path.iterdir()] == ["vectors"]


@pytest.mark.parametrize("name", METHODS)
def test_few_vectors_and_odd_widths_are_compressed_too(name):
    few = drawn(7, 5)
    arrays = compressed(few, name, budget_bytes=4 * few.nbytes)
    found = opened(name, arrays, shape=few.shape).decode(np.arange(7))
    assert found.shape == few.shape
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", METHODS)
def test_a_budget_below_the_floor_says_what_is_needed(name):
    with pytest.raises(
        ValueError, match=rf"needs at least [\d,]+ bytes .* for {ROWS} vectors of 16"
    ):
        compressed(VECTORS, name, budget_bytes=40)


@pytest.mark.parametrize("name", ["svd", "magnitude_svd", "tt", "pruning", "dedup"])
def test_the_whole_of_the_bytes_gives_the_whole_of_the_vectors(name):
    arrays = compressed(VECTORS, name, budget_bytes=4 * VECTORS.nbytes)
    found = opened(name, arrays, shape=VECTORS.shape).decode(np.arange(ROWS))
    np.testing.assert_allclose(found, VECTORS, atol=2e-3)


def test_integers_are_within_half_a_step():
    found = _compressed("int8").decode(np.arange(ROWS))
    step = np.abs(VECTORS).max(axis=1, keepdims=True) / 127
    assert (np.abs(found - VECTORS) <= 0.5001 * step).all()


def test_pruning_keeps_the_largest_entries():
    found = _compressed("pruning").decode(np.arange(ROWS))
    kept = found != 0
    np.testing.assert_array_equal(found[kept], VECTORS[kept])
    assert np.abs(VECTORS[kept]).min() >= np.abs(VECTORS[~kept]).max()


def test_groups_have_equal_norm_mass_and_long_vectors_come_first():
    group, length = grouped(VECTORS), np.linalg.norm(VECTORS, axis=1)
    mass = np.bincount(group, weights=length)
    np.testing.assert_allclose(mass / length.sum(), 0.25, atol=0.02)
    assert length[group == 0].min() >= length[group == 3].max()


def test_magnitude_groups_are_nearer_to_long_vectors():
    length = np.linalg.norm(VECTORS, axis=1)
    longest = np.flatnonzero(length > np.quantile(length, 0.95))
    for plain, grouped_one in (("svd", "magnitude_svd"), ("pq", "magnitude_pq")):
        errors = [
            np.linalg.norm(_compressed(name).decode(longest) - VECTORS[longest])
            for name in (plain, grouped_one)
        ]
        assert errors[1] < errors[0]


@pytest.mark.slow
def test_a_rotation_helps_where_directions_are_mixed():
    size, rotation_bytes = 12_000, 4 * DIM * DIM
    pq = compressed(VECTORS, "pq", budget_bytes=size)
    opq = compressed(VECTORS, "opq", budget_bytes=size + rotation_bytes)
    assert pq["books"].shape == opq["books"].shape
    errors = [
        _measured(opened(name, arrays, shape=VECTORS.shape)).relative_error
        for name, arrays in (("pq", pq), ("opq", opq))
    ]
    assert errors[1] < errors[0]


def test_bits_are_packed_side_by_side():
    codes = np.arange(15).reshape(3, 5)
    assert pack(codes, 4).shape == (3, 3)
    np.testing.assert_array_equal(unpack(pack(codes, 4), 4, 5), codes)


def test_digits_and_factors_of_a_train():
    assert [np.prod(digits(n)) >= n for n in (1, 2, 700, 40_981)] == [True] * 4
    assert (factors(64), factors(7), factors(12)) == ((4, 4, 4), (1, 1, 7), (2, 2, 3))
    assert core_bytes((2, 2, 2), (2, 2, 2), 1) == 4 * 12


def test_exact_vectors_are_found_exactly():
    exact = Compressed("exact", ROWS, DIM, VECTORS.nbytes, lambda ids: VECTORS[ids])
    for score in ("dot", "cosine"):
        found = fidelity(VECTORS, exact, ks=(1, 10_000), queries=50, score=score)
        assert found.recall == {1: 1.0, ROWS - 1: 1.0}
    assert (found.relative_error, found.share) == (0.0, 1.0)


def test_wrong_input_says_what_is_wanted(tmp_path):
    found = _compressed("int8")
    for wrong in (-1, ROWS):
        with pytest.raises(ValueError, match=f"numbers from 0 to 699, got {wrong}"):
            found.decode(np.array([wrong]))
    with pytest.raises(ValueError, match="Unknown way of compressing 'int9': known are int8"):
        compressed(VECTORS, "int9", budget_bytes=1)
    with pytest.raises(ValueError, match="finite numbers"):
        compressed(VECTORS * np.float32(np.nan), "int8", budget_bytes=10**6)
    (tmp_path / "cut").write_bytes(b"PK\x03\x04short")
    with pytest.raises(ValueError, match="cut should hold compressed vectors and does not"):
        load(tmp_path / "cut")
