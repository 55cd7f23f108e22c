"""A batch to vectors by feature: keys, bags, sequences, crosses, lookups, and batches that do not
fit.
"""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx

from recsys.embedding import Embedding, PerFeature, Unified
from recsys.features import Feature, Schema
from recsys.tables import Full, Hash

SCHEMA = Schema(
    (
        Feature("city", lookups=2),
        Feature("words", kind="bag", length=3, pooling="sum"),
        Feature("age", kind="numeric"),
        Feature("city x day", cross=("city", "day")),
        Feature("seen", kind="sequence", length=2),
    )
)
COLUMNS = {
    "city": ["Oslo", "Rome", "Oslo", None],
    "words": [["a", "b"], [], ["a", "b", "c"], ["c"]],
    "age": [1.0, 2.0, 3.0, 4.0],
    "day": ["mon", "mon", "tue", "tue"],
    "seen": [["x", "y", "z"], ["y"], ["z", "y"], []],
}
LAYOUTS = [Unified(Hash(rows=300), 4), PerFeature(Hash(rows=300), 4)]


@pytest.fixture(params=LAYOUTS, ids=lambda layout: type(layout).__name__)
def embed(request) -> Embedding:
    return Embedding(SCHEMA, request.param, rngs=nnx.Rngs(0))


@pytest.fixture
def batch():
    return SCHEMA.encode(COLUMNS)


@pytest.mark.slow
def test_vectors_are_a_mapping_by_feature(embed, batch):
    vectors = embed(batch)
    assert list(vectors) == ["city", "words", "city x day", "seen"]
    assert len(vectors) == 4
    assert {name: vector.shape[1] for name, vector in vectors.items()} == embed.widths
    assert embed.widths == {"city": 8, "words": 4, "city x day": 4, "seen": 4}
    with pytest.raises(KeyError, match="there are city, words, city x day, seen"):
        vectors["town"]


@pytest.mark.slow
def test_side_by_side_is_feature_by_feature(embed, batch):
    vectors = embed(batch)
    side = vectors.concatenated()
    assert side.shape == (4, embed.width) == (4, 20)
    np.testing.assert_array_equal(side, np.concatenate(list(vectors.values()), axis=1))


@pytest.mark.slow
def test_bags_and_sequences_are_pooled_over_what_is_there(embed, batch):
    vectors = embed(batch)
    words, seen = vectors.places("words"), vectors.places("seen")
    assert words.shape == (4, 3, 4)
    np.testing.assert_allclose(vectors["words"], np.sum(words, axis=1), rtol=1e-5, atol=1e-7)
    there = [2, 1, 2, 1]  # the last has none, and a mean of none is zero
    np.testing.assert_allclose(
        vectors["seen"], np.sum(seen, axis=1) / np.array(there)[:, None], rtol=1e-5, atol=1e-7
    )
    assert not np.any(vectors["words"][1])
    assert not np.any(vectors["seen"][3])


@pytest.mark.slow
def test_padding_has_no_vector(embed, batch):
    words = np.asarray(embed(batch).places("words"))
    assert (words.any(axis=2) == [[1, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0]]).all()


@pytest.mark.slow
def test_the_same_value_has_the_same_vector_wherever_it_stands(embed, batch):
    words = embed(batch).places("words")
    np.testing.assert_array_equal(words[0, 0], words[2, 0])
    np.testing.assert_array_equal(words[2, 2], words[3, 0])
    city = embed(batch)["city"]
    np.testing.assert_array_equal(city[0], city[2])
    assert (city[0] != city[1]).any()


@pytest.mark.slow
def test_a_missing_value_has_a_vector_of_its_own(embed, batch):
    city = embed(batch)["city"]
    assert np.any(city[3])
    assert (city[3] != city[0]).any()


@pytest.mark.slow
def test_lookups_are_independent_rows_side_by_side(embed, batch):
    city = np.asarray(embed(batch)["city"])
    assert city.shape == (4, 8)
    assert (city[:, :4] != city[:, 4:]).any(axis=1).all()


@pytest.mark.slow
def test_a_cross_is_a_value_of_its_own(embed, batch):
    crossed = embed(batch)["city x day"]
    assert (crossed[0] != crossed[2]).any()  # Oslo on monday, Oslo on tuesday
    assert (crossed[0] != crossed[1]).any()
    again = {**COLUMNS, "day": ["mon", "mon", "mon", "mon"]}
    np.testing.assert_array_equal(crossed[0], embed(SCHEMA.encode(again))["city x day"][2])


@pytest.mark.slow
def test_vectors_pass_through_jit(embed, batch):
    graph, arrays = nnx.split(embed)
    vectors = jax.jit(lambda arrays, batch: nnx.merge(graph, arrays)(batch))(arrays, batch)
    for name, vector in embed(batch).items():
        np.testing.assert_allclose(vectors[name], vector, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
def test_a_rank_beyond_the_vocabulary_reads_the_unknown_value_never_a_neighbour():
    schema = Schema((Feature("a", values=3), Feature("b", values=5)))
    embed = Embedding(schema, Unified(Full(), 2), rngs=nnx.Rngs(0))
    known = schema.encode({"a": [2], "b": [0]})
    beyond = dataclasses.replace(known, low=known.low + np.array([[40, 0]], np.uint32))
    np.testing.assert_array_equal(embed(beyond)["a"], embed(known)["a"])


def test_a_batch_of_another_schema_is_refused(embed):
    other = Schema((Feature("city"), Feature("age", kind="numeric")))
    with pytest.raises(
        ValueError, match=r"wants batches of 7 places, got .1,.: pack them with its schema"
    ):
        embed(other.encode({"city": ["Oslo"], "age": [1.0]}))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint64", "float32"])
def test_ids_that_are_not_two_words_of_32_bits_are_refused(embed, batch, dtype):
    def as_ids(array):
        return array.astype(dtype) if array.dtype == np.uint32 else array

    with pytest.raises(TypeError, match=f"two uint32 words.*got {dtype}.*truncates 64-bit"):
        embed.keys(jax.tree.map(as_ids, batch))


def test_a_mask_of_another_type_is_refused(embed, batch):
    weighted = jax.tree.map(lambda a: a.astype(np.float32) if a.dtype == bool else a, batch)
    with pytest.raises(TypeError, match="a bool mask, got uint32, uint32, float32"):
        embed.keys(weighted)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: type(layout).__name__)
def test_numbers_alone_need_no_tables(layout):
    numbers = Schema((Feature("age", kind="numeric"),))
    embed = Embedding(numbers, layout, rngs=nnx.Rngs(0))
    assert (embed.width, embed.table_bytes) == (0, 0)
    assert len(embed(numbers.encode({"age": [1.0, 2.0]}))) == 0
