"""Learning from a stream: what the whole would give, and what nothing can be learned from."""

import numpy as np
import pytest

from recsys.features import Feature, Schema
from recsys.features.columns import BadCellsError
from recsys.features.learning import Learning
from recsys.features.transforms import Buckets, Log1p, Standardise

SCHEMA = Schema(
    (
        Feature("user", space="people"),
        Feature("friend", space="people"),
        Feature("tags", kind="bag", length=2, separator="|"),
        Feature("pair", cross=("user", "friend")),
        Feature("age", kind="numeric", transform=Standardise()),
        Feature("price", kind="numeric", transform=Buckets(4)),
        Feature("clicks", kind="numeric", transform=Log1p()),
    )
)


def columns(rows: int = 200, seed: int = 0) -> dict[str, list]:
    rng = np.random.default_rng(seed)
    people = [f"u{number}" for number in rng.integers(0, 9, 2 * rows)]
    return {
        "user": people[:rows],
        "friend": people[rows:],
        "tags": ["|".join(rng.choice(list("abc"), rng.integers(0, 4))) for _ in range(rows)],
        "age": [None if rng.random() < 0.1 else int(rng.integers(90)) for _ in range(rows)],
        "price": rng.lognormal(size=rows).tolist(),
        "clicks": rng.integers(0, 9, rows).tolist(),
        "label": (np.arange(rows) % 2).tolist(),
    }


def learned(log: dict[str, list], *, cut: int, **limits):
    learning = Learning(SCHEMA, **limits)
    for start in range(0, len(log["label"]), cut):
        learning.add({name: column[start : start + cut] for name, column in log.items()})
    return learning.finish()


@pytest.mark.parametrize("limits", [{}, {"min_count": 3, "max_values": 8}])
def test_it_does_not_matter_where_the_log_is_cut(limits):
    whole, vocabularies = learned(columns(), cut=200, **limits)
    parts, others = learned(columns(), cut=13, **limits)
    for one, other in zip(whole.features, parts.features, strict=True):
        if isinstance(one.transform, Standardise) and isinstance(other.transform, Standardise):
            assert one.transform.mean == pytest.approx(other.transform.mean)
            assert one.transform.std == pytest.approx(other.transform.std)
        else:
            assert one == other
    assert sorted(vocabularies) == sorted(others) == ["friend", "pair", "tags", "user"]
    for name, vocabulary in vocabularies.items():
        np.testing.assert_array_equal(vocabulary.fingerprints, others[name].fingerprints)
        np.testing.assert_array_equal(vocabulary.counts, others[name].counts)


def test_features_of_one_space_share_a_vocabulary():
    schema, vocabularies = learned(columns(), cut=200)
    assert vocabularies["user"] is vocabularies["friend"]
    assert vocabularies["user"].counts.sum() == 400
    assert schema.features[0].values == schema.features[1].values == 10


def test_missing_numbers_teach_nothing():
    log = columns()
    schema, _ = learned(log, cut=200)
    transform = schema.features[4].transform
    assert isinstance(transform, Standardise)
    assert transform.mean == pytest.approx(np.mean([age for age in log["age"] if age is not None]))


def test_what_was_learned_is_kept():
    schema, _ = learned(columns(), cut=200)
    again = Learning(schema, [])
    again.add(columns(seed=1))
    assert again.finish() == (schema, {})


def test_a_chunk_with_a_bad_cell_teaches_nothing():
    learning, log = Learning(SCHEMA), columns()
    with pytest.raises(BadCellsError, match="'age' wants finite numbers"):
        learning.add({**log, "age": ["old", *log["age"][1:]]})
    learning.add(log)
    assert learning.rows == 200
    for name, vocabulary in learning.finish()[1].items():
        assert vocabulary.counts.sum() == learned(log, cut=200)[1][name].counts.sum()


@pytest.mark.parametrize(
    ("change", "names", "says"),
    [
        ({"label": [1] * 200}, None, "'label' wants two classes or more .* got 1 in all 200 rows"),
        ({"user": ["ann"] * 200}, ["pair", "tags"], None),
        ({"user": ["ann"] * 200, "friend": ["ann"] * 200}, ["user"], "two values or more"),
        ({"tags": [""] * 200}, ["tags"], r"Feature\('tags'\) wants a vocabulary .* got none"),
        ({"age": [None] * 200}, [], r"Feature\('age'\) wants numbers to learn Standardise from"),
        ({}, ["age"], "No feature 'age' has values to learn .* are user, friend, tags, pair"),
    ],
)
def test_what_teaches_nothing_is_refused(change, names, says):
    def finish():
        learning = Learning(SCHEMA, names)
        learning.add({**columns(), **change})
        return learning.finish()

    if says is None:
        assert finish()[1].keys() == {*names}
    else:
        with pytest.raises(ValueError, match=says):
            finish()


def test_no_rows_teach_nothing():
    with pytest.raises(ValueError, match="wants rows of the training split, got none"):
        Learning(SCHEMA).finish()
