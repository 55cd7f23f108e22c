"""The planted log: its labels follow its formula, and the best possible AUC is as documented."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from recsys.data.datasets import planted


@pytest.fixture(scope="module")
def log() -> planted.Planted:
    return planted.generate()


@pytest.mark.slow
def test_the_best_possible_auc_is_the_one_documented(log):
    best = roc_auc_score(log.columns["label"], log.probability)
    assert f"AUC of {best:.4f}" in (planted.__doc__ or "").replace("\n", " ")


def test_labels_follow_the_probabilities(log):
    label, order = log.columns["label"], np.argsort(log.probability)
    for rows in np.array_split(order, 20):
        expected = log.probability[rows]
        error = np.sqrt((expected * (1 - expected)).sum()) / len(rows)
        assert abs(label[rows].mean() - expected.mean()) < 4 * error


def test_rare_values_matter_as_much_as_frequent_ones(log):
    """The logit's spread over the values of a field, the other fields averaged out."""
    field = log.columns["field_3"]
    values, place, count = np.unique(field, return_inverse=True, return_counts=True)
    logit = np.log(log.probability / (1 - log.probability))
    effect = np.bincount(place, logit) / count
    noise = logit.std() ** 2 / count
    order = np.argsort(-count)
    head, tail = order[: len(order) // 10], order[len(order) // 2 :]
    spread = [np.sqrt(effect[part].var() - noise[part].mean()) for part in (head, tail)]
    assert spread[1] == pytest.approx(spread[0], rel=0.2)
    assert len(values) <= planted.VALUES[3]


def test_the_log_is_a_function_of_its_seed():
    one, same, other = (planted.generate(50, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(one.columns[name], same.columns[name]) for name in one.columns)
    assert not np.array_equal(one.probability, other.probability)
