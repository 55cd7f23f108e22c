"""Frequencies of a stream: exact while they fit, and within their bounds where they do not."""

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.frequencies import Frequencies
from recsys.features import fingerprint

DRAWN = np.floor(20_000 ** np.random.default_rng(0).random(60_000)).astype(int).astype(str)


def counted(cells: np.ndarray, *, cut: int, **sizes: int) -> Frequencies:
    found = Frequencies(**sizes)
    for start in range(0, len(cells), cut):
        texts, counts = np.unique(cells[start : start + cut], return_counts=True)
        found.add(fingerprint(texts), counts, pa.array(texts.tolist()))
    return found


def test_few_values_are_counted_exactly():
    found = counted(np.array([*"abracadabra", ""]), cut=3)
    assert (found.is_exact, found.values, found.cells) == (True, 5, 11)
    head = [(value.text, value.count) for value in found.head(3)]
    assert head[0] == ("a", 5)
    assert {*head[1:]} == {("b", 2), ("r", 2)}
    assert found.once == 2 / 5


def test_many_values_are_estimated_and_the_head_is_found():
    found = counted(DRAWN, cut=7_000, sampled=2_048, headed=256)
    values, counts = np.unique(DRAWN, return_counts=True)
    truth = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert not found.is_exact
    assert found.values == pytest.approx(len(values), rel=0.1)
    assert found.once == pytest.approx((counts == 1).mean(), abs=0.05)
    wanted = [str(values[at]) for at in np.argsort(-counts)[:3]]
    assert [value.text for value in found.head(3)] == wanted
    for value in found.head(20):
        assert truth[value.text] - found.short <= value.count <= truth[value.text]
    for value in found.sample(100):
        assert value.count == truth[value.text]


def test_what_is_kept_is_bounded():
    found = counted(DRAWN, cut=7_000, sampled=100, headed=10)
    assert len(found.sample()) == 100
    assert len(found.head(1_000)) <= 10


def test_long_texts_are_cut():
    found = counted(np.array(["x" * 1_000]), cut=1)
    assert len(found.head(1)[0].text) == 500
