"""Measuring: values are kept query by query, and compared on the same queries."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from experiments.explicit import esco
from experiments.explicit.measuring import Values, compare, measure, skill_map, worth
from experiments.explicit.protocol import Part
from tests.experiments.explicit.bases import esco_base


@pytest.fixture(scope="module")
def part() -> Part:
    return esco.arrange(esco_base(), seed=1).parts["test"]


def test_scores_that_are_the_grades_are_perfect(part):
    grades = part.relevance.grades
    values = measure(grades.toarray().astype(np.float64), part)
    assert values.means()["ndcg@10"] == values.means()["map"] == 1
    assert worth(grades.toarray().astype(np.float64), grades) == 1


def test_the_second_opinion_is_measured_beside(part):
    values = measure(part.second.toarray().astype(np.float64), part)
    assert values.means()["second_ndcg@10"] == 1
    assert values.means()["ndcg@10"] < 1


def test_kept_values_come_back(part, tmp_path):
    values = measure(part.relevance.grades.toarray().astype(np.float64), part)
    values.save(tmp_path / "new" / "run.npz")
    opened = Values.open(tmp_path / "new" / "run.npz")
    assert opened.means() == values.means()
    assert opened.intervals() == values.intervals()


def test_a_comparison_takes_the_mean_over_seeds_first():
    def made(value: float) -> Values:
        return Values({"map": np.full(4, value)}, np.arange(4))

    gain, share = compare({0: made(0.5), 1: made(0.7)}, {None: made(0.5)})["map"]
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1))
    assert share == pytest.approx(1.2)


def test_skills_are_ranked_among_all_that_there_are():
    vectors = csr_array(np.array([[0.0, 0.9, 0.1, 0.0], [0.5, 0.0, 0.0, 0.2]]))
    known = csr_array(np.array([[0.0, 1, 0, 0], [0, 0, 0, 1]]))
    assert skill_map(vectors, known) == 0.75
