"""Every kind of index keeps one contract: filters, exclusions, changes, files."""

from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from recsys.index import HNSW, INDEXES, IVF, NOTHING, PQ, SQ8, Exact, Index, Sparse, Spec, build
from tests.index.drawn import DIM, best, items, users

COUNT, K = 3_000, 10
EXAMPLES: tuple[Spec, ...] = (
    Exact(),
    IVF(lists=16, probes=2),
    SQ8(lists=16, probes=2),
    PQ(lists=16, probes=2, parts=8, oversample=40),
    HNSW(candidates=16),
    Sparse(),
)
VECTORS, QUERIES = items(COUNT), users(8, seed=3)
BUILT: dict[type, Index] = {}


def built(spec: Spec) -> Index:
    """A new index; what takes long is built once."""
    if type(spec) not in BUILT:
        BUILT[type(spec)] = build(spec, VECTORS, users=users(64), at=K)
    return Index(BUILT[type(spec)]._live.built)


@pytest.fixture(params=EXAMPLES, ids=lambda spec: type(spec).__name__)
def index(request: pytest.FixtureRequest) -> Index:
    return built(request.param)


def test_every_kind_has_an_example():
    assert {type(spec) for spec in EXAMPLES} == set(INDEXES.values())


def test_scores_are_inner_products_best_first(index: Index):
    found = index.search(QUERIES, K)
    assert found.ids.shape == found.scores.shape == (len(QUERIES), K)
    scores = np.einsum("qd,qkd->qk", QUERIES, VECTORS[found.ids])
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
    assert np.all(np.diff(found.scores, axis=1) <= 0)


def test_most_of_the_best_are_found(index: Index):
    queries = users(50, seed=3)
    wanted, found = best(queries, VECTORS, K), index.search(queries, K)
    hits = [len(set(a) & set(b)) for a, b in zip(wanted, found.ids, strict=True)]
    assert np.mean(hits) >= (K if index.stats().is_exact else 0.9 * K)


def test_one_query_gets_what_it_gets_among_many(index: Index):
    many = index.search(QUERIES, K)
    for query in range(len(QUERIES)):
        np.testing.assert_array_equal(
            index.search(QUERIES[query : query + 1], K).ids[0], many.ids[query]
        )


@pytest.mark.parametrize("share", [0.001, 0.03, 0.3, 0.95])
def test_a_filter_lets_only_allowed_items_through_and_finds_k_of_them(index: Index, share: float):
    mask = np.random.default_rng(5).random(COUNT) < share
    for allowed in (mask, np.flatnonzero(mask)):
        found = index.search(QUERIES, K, allowed=allowed)
        there = min(K, int(mask.sum()))
        assert np.all(mask[found.ids[:, :there]])
        assert np.all(found.ids[:, there:] == NOTHING)
        assert np.all(np.isneginf(found.scores[:, there:]))


def test_the_best_items_can_be_excluded(index: Index):
    excluded = best(QUERIES, VECTORS, 60)
    excluded[0, 5:] = NOTHING  # lists of different lengths
    excluded[1, 1::2] = excluded[1, 0]  # the same id again
    found = index.search(QUERIES, K, excluded=excluded)
    for ids, out in zip(found.ids, excluded, strict=True):
        assert not set(ids) & set(out)
        assert len(set(ids)) == K
        assert NOTHING not in ids


def test_k_beyond_the_catalogue_finds_every_item(index: Index):
    found = index.search(QUERIES[:1], COUNT + 5)
    assert sorted(found.ids[0, :COUNT]) == list(range(COUNT))
    assert np.all(found.ids[0, COUNT:] == NOTHING)


@pytest.mark.parametrize("spec", EXAMPLES, ids=lambda spec: type(spec).__name__)
@hypothesis.given(st.data())
@hypothesis.settings(max_examples=25)
def test_k_allowed_items_come_back_whenever_there_are_k(spec: Spec, data: st.DataObject):
    index = built(spec)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    gone = rng.choice(COUNT, data.draw(st.integers(0, COUNT)), replace=False)
    index.delete(gone)
    index.upsert(np.array([COUNT + 7, 3]), users(2, seed=9))
    allowed = rng.choice(COUNT + 8, data.draw(st.integers(0, COUNT + 8)), replace=False)
    excluded = rng.choice(COUNT + 8, (2, data.draw(st.integers(0, 400))))
    k = data.draw(st.integers(1, 300))
    there = np.flatnonzero(index.has(np.arange(COUNT + 8)))
    found = index.search(QUERIES[:2], k, allowed=allowed, excluded=excluded)
    for ids, out in zip(found.ids, excluded, strict=True):
        may = set(there) & set(allowed) - set(out)
        real = ids[ids != NOTHING]
        assert set(real) <= may
        assert len(set(real)) == len(real) == min(k, len(may))


def test_an_upsert_is_found_at_once_and_a_deleted_item_is_not(index: Index):
    ids = np.array([COUNT, 7])
    index.upsert(ids, 2 * QUERIES[:2])  # nothing scores more
    found = index.search(QUERIES[:2], 3)
    np.testing.assert_array_equal(found.ids[:, 0], ids)
    np.testing.assert_allclose(index.vectors(ids), 2 * QUERIES[:2], rtol=1e-6)
    index.delete(ids)
    assert not set(index.search(QUERIES[:2], K).ids.ravel()) & set(ids)
    assert not np.any(index.has(ids))
    assert len(index) == COUNT - 1


def test_an_id_that_is_not_there_is_deleted_without_a_word(index: Index):
    index.delete(np.array([COUNT + 1, -5]))
    assert len(index) == COUNT


def test_a_saved_index_answers_as_before(index: Index, tmp_path: Path):
    index.save(tmp_path / "index")
    read, found = Index.load(tmp_path / "index"), index.search(QUERIES, K)
    again = read.search(QUERIES, K)
    np.testing.assert_array_equal(again.ids, found.ids)
    np.testing.assert_allclose(again.scores, found.scores, rtol=1e-6)
    assert read.stats() == index.stats()


def test_changes_are_built_in_when_saved(index: Index, tmp_path: Path):
    index.upsert(np.array([COUNT, 7]), users(2, seed=4))
    index.delete(np.array([8]))
    index.save(tmp_path / "index")
    read = Index.load(tmp_path / "index")
    assert (read.stats().built, read.stats().added, read.stats().gone) == (COUNT, 0, 0)
    ids = np.array([COUNT, 7, 8, 9])
    np.testing.assert_array_equal(read.has(ids), [True, True, False, True])
    np.testing.assert_allclose(read.vectors(ids), index.vectors(ids), rtol=1e-6)


def test_a_new_base_holds_every_change(index: Index):
    index.upsert(np.array([COUNT + 1, 7]), users(2, seed=4))
    index.delete(np.array([8]))
    before = index.vectors(np.arange(COUNT + 2))
    assert index.compact()
    assert index.stats().added == index.stats().gone == 0
    np.testing.assert_allclose(index.vectors(np.arange(COUNT + 2)), before, rtol=1e-6)
    found = index.search(QUERIES, K)
    assert 8 not in found.ids


@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.full((1, DIM), np.nan, np.float32), "finite vectors"),
        (np.full((1, DIM), np.inf, np.float32), "finite vectors"),
        (np.ones((1, DIM + 1), np.float32), "another space"),
    ],
)
def test_vectors_that_cannot_be_searched_are_refused(index: Index, vectors: np.ndarray, told: str):
    with pytest.raises(ValueError, match=told):
        index.search(vectors, K)
    with pytest.raises(ValueError, match=told):
        index.upsert(np.array([1]), vectors)
    assert index.stats().added == 0
