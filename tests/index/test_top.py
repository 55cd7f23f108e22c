"""The best of a row of scores, against a sort of all of them."""

import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np

from recsys.index.top import top

SCORES = st.one_of(st.floats(-3, 3, width=32), st.sampled_from([0.0, 1.0, -np.inf]))


@hypothesis.given(
    arrays.arrays(np.float32, st.integers(0, 700), elements=SCORES), st.integers(1, 200)
)
def test_they_are_those_of_a_stable_sort(scores: np.ndarray, k: int):
    finite = np.isfinite(scores)
    wanted = [place for place in np.argsort(-scores, kind="stable") if finite[place]][:k]
    np.testing.assert_array_equal(top(scores, k), wanted)


def test_equal_scores_keep_their_order():
    np.testing.assert_array_equal(top(np.zeros(100_000, np.float32), 5), range(5))
