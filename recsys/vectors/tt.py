"""A tensor train: rows and columns numbered by three digits, three small cores between them."""

import dataclasses
import itertools

import numpy as np

from recsys.vectors.method import Arrays, Decode, Vectors, require

Digits = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class TT:
    """The matrix as a product of three cores of one rank, by SVDs one after the other (Oseledets,
    SIAM J. Sci. Comput. 2011).
    """

    def fit(self, vectors: Vectors, *, budget_bytes: int, seed: int) -> Arrays:
        rows, dim = digits(len(vectors)), factors(vectors.shape[1])
        require(self, core_bytes(rows, dim, 1), budget_bytes=budget_bytes, vectors=vectors)
        most = max(ranks(rows, dim, 2**31))
        rank = next(r for r in range(most, 0, -1) if core_bytes(rows, dim, r) <= budget_bytes)
        first, second = ranks(rows, dim, rank)
        whole = np.zeros((np.prod(rows), vectors.shape[1]), np.float32)
        whole[: len(vectors)] = vectors
        # (n1 n2 n3, d1 d2 d3) -> (n1 d1, n2 d2, n3 d3)
        tensor = whole.reshape(*rows, *dim).transpose(0, 3, 1, 4, 2, 5)
        left, rest = _split(tensor.reshape(rows[0] * dim[0], -1), first)
        middle, right = _split(rest.reshape(first * rows[1] * dim[1], -1), second)
        return {
            "left": left.reshape(rows[0], dim[0], first),
            "middle": middle.reshape(first, rows[1], dim[1], second),
            "right": right.reshape(second, rows[2], dim[2]),
        }

    def reader(self, arrays: Arrays) -> Decode:
        left, middle, right = arrays["left"], arrays["middle"], arrays["right"]

        def decode(ids: np.ndarray) -> np.ndarray:
            rest, third = np.divmod(ids, right.shape[1])
            first, second = np.divmod(rest, middle.shape[1])
            pair = np.einsum("nar,rnbs->nabs", left[first], middle[:, second], optimize=True)
            found = np.einsum("nabs,snc->nabc", pair, right[:, third], optimize=True)
            return found.reshape(len(ids), -1)

        return decode


def digits(rows: int) -> Digits:
    """Three numbers, near to each other, whose product is at least `rows`."""
    third = int(np.ceil(np.cbrt(rows) - 1e-9))
    second = int(np.ceil(np.sqrt(rows / third) - 1e-9))
    return -(-rows // (third * second)), second, third


def factors(dim: int) -> Digits:
    """Three numbers whose product is `dim`, as near to each other as there are."""
    divisors = [n for n in range(1, dim + 1) if dim % n == 0]
    ways = [
        (a, b, dim // a // b)
        for a, b in itertools.product(divisors, divisors)
        if dim % (a * b) == 0
    ]
    return min(ways, key=lambda way: (max(way), way))


def ranks(rows: Digits, dim: Digits, rank: int) -> tuple[int, int]:
    """The ranks between cores, none larger than what it joins."""
    first, second, third = (n * d for n, d in zip(rows, dim, strict=True))
    return min(rank, first, second * third), min(rank, third, first * second)


def core_bytes(rows: Digits, dim: Digits, rank: int) -> int:
    """What the cores weigh."""
    first, second = ranks(rows, dim, rank)
    sizes = [n * d for n, d in zip(rows, dim, strict=True)]
    return 4 * (sizes[0] * first + first * sizes[1] * second + second * sizes[2])


def _split(matrix: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices of a rank whose product is near to one; by the smaller of its two sides."""
    wide = matrix.astype(np.float64)
    if matrix.shape[0] <= matrix.shape[1]:
        _, found = np.linalg.eigh(wide @ wide.T)
        left = found[:, ::-1][:, :rank]
        return left.astype(np.float32), (left.T @ wide).astype(np.float32)
    _, found = np.linalg.eigh(wide.T @ wide)
    right = found[:, ::-1][:, :rank]
    return (wide @ right).astype(np.float32), np.ascontiguousarray(right.T).astype(np.float32)
