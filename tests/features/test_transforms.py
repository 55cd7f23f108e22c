"""Transforms of numbers: by hand, and learned from the training rows alone."""

import numpy as np
import pytest

from recsys.features import Feature, Schema
from recsys.features.summaries import Summary
from recsys.features.transforms import TRANSFORMS, Buckets, Log1p, Standardise
from recsys.spec import from_json, to_json


def seen(*values: float) -> Summary:
    summary = Summary()
    summary.add(np.array(values, np.float64), np.arange(len(values), dtype=np.uint64))
    return summary


def encoded(transform: Standardise | Buckets | Log1p, column: list, **fields) -> np.ndarray:
    """What a batch holds of a numeric feature: numbers, or the keys of buckets."""
    schema = Schema((Feature("x", "numeric", transform=transform, **fields),), label=None)
    batch = schema.encode({"x": column})
    return np.asarray(batch.low[:, 0] if schema.categorical else batch.numbers[:, 0])


def test_log1p_keeps_the_sign_and_missing_is_zero():
    found = encoded(Log1p(), [0, 9, -9, None, "99"])
    np.testing.assert_allclose(found, np.log([1, 10, 0.1, 1, 100]), rtol=1e-6)


def test_standardise_counts_deviations_from_the_mean():
    learned = Standardise().learned(seen(1, 3, 5, 7))
    assert (learned.mean, learned.std) == (4, pytest.approx(np.sqrt(5)))
    np.testing.assert_allclose(encoded(learned, [4, None, 6]), [0, 0, 2 / np.sqrt(5)], rtol=1e-6)


def test_standardise_may_take_the_logarithm_first():
    transform = Standardise(of=Log1p())
    learned = transform.learned(seen(*transform.before(np.array([0.0, np.e**2 - 1]))))
    assert (learned.mean, learned.std) == (pytest.approx(1), pytest.approx(1))
    assert encoded(learned, [0])[0] == pytest.approx(-1)


def test_numbers_that_are_all_one_stay_finite():
    learned = Standardise().learned(seen(0.1, 0.1, 0.1))
    assert learned.std == 1
    assert np.isfinite(encoded(learned, [0.1, 7])).all()


def test_buckets_hold_about_as_many_examples_each_and_one_is_for_missing():
    learned = Buckets(4).learned(seen(*range(100)))
    assert learned.edges == (24, 49, 74)
    assert learned.values == 5
    assert encoded(learned, [-5, 23.9, 24, 60, 1e9, None]).tolist() == [0, 0, 1, 2, 3, 4]
    counts = np.bincount(encoded(learned, list(range(100))))
    assert counts.tolist() == [24, 25, 25, 26]


def test_buckets_fall_together_where_many_examples_hold_one_number():
    learned = Buckets(10).learned(seen(*[0] * 70, *range(1, 31)))
    assert learned.edges == (10, 20)
    assert len(set(encoded(learned, [0, 1, 9]))) == 1
    alone = Buckets(10).learned(seen(3, 3, 3))
    assert encoded(alone, [2, 3, 4, None]).tolist() == [0, 1, 1, 2]


def test_a_default_stands_for_a_missing_number_before_its_transform():
    assert encoded(Log1p(), [None, ""], default=9).tolist() == [pytest.approx(np.log(10))] * 2
    assert encoded(Buckets(edges=(5.0,)), [None, 1], default=7).tolist() == [1, 0]


def test_a_transform_that_has_seen_nothing_is_refused():
    for transform in (Standardise(), Buckets()):
        with pytest.raises(ValueError, match=rf"{type(transform).__name__} learned from"):
            encoded(transform, [1])


def test_a_feature_with_buckets_reads_a_table_of_its_size():
    feature = Feature("x", "numeric", transform=Buckets(edges=(1.0, 2.0)), lookups=2)
    assert (feature.values, feature.reads_table, feature.has_names) == (4, True, False)
    with pytest.raises(ValueError, match="values=9, and its buckets 4"):
        Feature("x", "numeric", transform=Buckets(edges=(1.0, 2.0)), values=9)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Buckets(1), "a count of at least 2, got 1"),
        (lambda: Buckets(edges=(2.0, 1.0)), r"edges that rise, got \(2.0, 1.0\)"),
        (lambda: Buckets(edges=()), "edges that rise"),
        (lambda: Buckets(edges=(float("nan"),)), "finite edges"),
        (lambda: Standardise(mean=1.0), "mean and std together"),
        (lambda: Standardise(mean=1.0, std=0.0), "std > 0"),
        (lambda: Feature("x", transform=Log1p()), "categorical and no number"),
        (lambda: Feature("x", "numeric", default="none"), "a number as default, got 'none'"),
    ],
)
def test_impossible_transforms_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


@pytest.mark.parametrize("kind", TRANSFORMS.values(), ids=list(TRANSFORMS))
def test_every_transform_survives_json_with_what_it_learned(kind):
    transform = kind()
    if isinstance(transform, Standardise | Buckets):
        transform = transform.learned(seen(1, 2, 3, 4))
    assert from_json(to_json(transform)) == transform
    assert transform.is_learned
