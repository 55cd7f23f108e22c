"""The order of an epoch: a permutation, even, and the same bits for ever."""

import math
from collections import Counter

import numpy as np
import pytest

from recsys.data.order import permute
from recsys.features.hashing import combine, join, philox, split

LIMIT = 2**64


def whole(count: int, *key: int) -> np.ndarray:
    return permute(np.arange(count), count, key=key)


def slowly(position: int, count: int, key: tuple[int, ...]) -> int:
    """The same in whole numbers of Python, one at a time."""
    high, low = split(combine(*(np.array([part], np.uint64) for part in key)))
    rounds = [philox(high, low, number) for number in range(16)]
    keys = [int(join(words)[0]) for words in rounds]
    width = math.isqrt(count - 1) + 1
    height = -(-count // width)
    number = position
    while True:
        left, right = divmod(number, height)
        for turn, round_key in enumerate(keys):
            mixed = (right ^ round_key) * 0xBF58476D1CE4E5B9 % LIMIT
            mixed = (mixed ^ mixed >> 32) * 0x94D049BB133111EB % LIMIT >> 32
            side = (width, height)[turn % 2]
            left, right = right, (left + (mixed * side >> 32)) % side
        number = left * height + right
        if number < count:
            return number


@pytest.mark.parametrize("count", [1, 2, 3, 10, 97, 100, 4099])
def test_every_number_comes_once(count):
    for epoch in range(3):
        assert sorted(whole(count, 5, epoch)) == list(range(count))


def test_the_bits_are_pinned():
    assert whole(10, 0, 0).tolist() == [3, 1, 5, 2, 0, 4, 8, 7, 6, 9]
    assert whole(10, 2**64 - 1, 7).tolist() == [3, 5, 6, 2, 0, 8, 4, 9, 7, 1]
    far = np.array([0, 1, 10**12 - 1])
    wanted = [110717315402, 412260462944, 491867418127]
    assert permute(far, 10**12, key=(3, 1)).tolist() == wanted


@pytest.mark.parametrize("count", [7, 1000, 2**33])
def test_it_agrees_with_whole_numbers_of_python(count):
    positions = np.array([0, 1, 5, count // 2, count - 1])
    wanted = [slowly(int(position), count, (11, 2)) for position in positions]
    assert permute(positions, count, key=(11, 2)).tolist() == wanted


def test_places_may_be_asked_for_in_any_order_and_alone():
    order = whole(1000, 1, 2)
    asked = np.array([999, 0, 500, 3])
    assert np.array_equal(permute(asked, 1000, key=(1, 2)), order[asked])
    assert permute(np.arange(0), 1000, key=(1, 2)).shape == (0,)


def test_each_key_has_an_order_of_its_own():
    keys = [(0, 0), (0, 1), (1, 0), (0, 0, 0), (0, 0, 1), (2**63, 0)]
    assert len({tuple(whole(50, *key)) for key in keys}) == len(keys)


@pytest.mark.slow
def test_all_orders_of_four_come_equally_often():
    times = 4800
    seen = Counter(tuple(whole(4, seed, 0)) for seed in range(times))
    expected = times / 24
    spread = sum((count - expected) ** 2 / expected for count in seen.values())
    assert len(seen) == 24
    assert spread < 23 + 4 * math.sqrt(2 * 23)  # chi squared of 23 degrees of freedom


@pytest.mark.parametrize("lag", [1, 2, 7])
def test_neighbours_end_up_at_any_distance(lag):
    count, bins = 2000, 40
    gaps = np.concatenate(
        [(np.roll(order, -lag) - order) % count for order in (whole(count, s) for s in range(200))]
    )
    seen = np.bincount(gaps * bins // count, minlength=bins)
    expected = len(gaps) / bins
    spread = ((seen - expected) ** 2 / expected).sum()
    assert spread < bins + 4 * math.sqrt(2 * bins)
