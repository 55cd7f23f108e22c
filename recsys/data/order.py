"""Where each example comes in an epoch: a permutation that is worked out place by place.

Nothing is drawn, sorted or kept, so an epoch begins without a pause, any step is reached at once,
and a billion examples take no memory. Golden values in the tests pin every bit: a change here
changes what a resumed run sees.
"""

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Int64, UInt64

from recsys.features.hashing import combine, join, philox, split

_ROUNDS = 16  # with fewer, some orders of five or six examples come more often than others
_HALF = np.uint64(32)  # bits
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def permute(
    positions: Int64[np.ndarray, "positions"], count: int, *, key: tuple[int, ...]
) -> Int64[np.ndarray, "positions"]:
    """The numbers in [0, count) that stand at some positions of the permutation of a key.

    A generalised Feistel network on a rectangle just larger than `count`, which is walked until
    it lands inside (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002). The
    keys of its rounds come from Philox; a round mixes with the two multipliers of SplitMix64
    (Steele, Lea and Flood, OOPSLA 2014).

    Args:
        positions: Each from 0 to count - 1.
        count: How many numbers there are.
        key: Integers from 0 to 2^64 - 1; each other key is another permutation.
    """
    width = math.isqrt(count - 1) + 1
    sides = np.array([width, -(-count // width)], np.uint64)
    keys = _keys(key)
    numbers = _network(positions.astype(np.uint64), sides, keys)
    while (outside := np.flatnonzero(numbers >= count)).size:
        numbers[outside] = _network(numbers[outside], sides, keys)
    return numbers.astype(np.int64)


@lru_cache(maxsize=64)  # every batch of an epoch asks for the same
def _keys(key: tuple[int, ...]) -> UInt64[np.ndarray, "rounds"]:
    high, low = split(combine(*(np.full(_ROUNDS, part, np.uint64) for part in key)))
    return join(philox(high, low, np.arange(_ROUNDS, dtype=np.uint32)))


def _network(
    numbers: UInt64[np.ndarray, "numbers"],
    sides: UInt64[np.ndarray, "2"],
    keys: UInt64[np.ndarray, "rounds"],
) -> UInt64[np.ndarray, "numbers"]:
    """A permutation of the numbers below the product of the sides."""
    moved = numbers // sides[1]
    still = numbers - moved * sides[1]
    for number, key in enumerate(keys):
        side = sides[number % 2]
        mixed = still ^ key
        mixed *= _FIRST
        mixed ^= mixed >> _HALF
        mixed *= _SECOND
        mixed >>= _HALF
        mixed *= side
        mixed >>= _HALF  # below the side
        mixed += moved
        np.minimum(mixed, mixed - side, out=mixed)  # the remainder: what is below wraps to the top
        moved, still = still, mixed
    return moved * sides[1] + still
