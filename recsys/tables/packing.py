"""Codes of 1 to 8 bits, packed so that none is stored wider: the same in NumPy and in JAX.

Bits run from the least significant: bit b of code j is bit j * bits + b of the row, and bit i of a
row is bit i mod 8 of its byte i // 8. Four codes of 6 bits are 3 bytes. Each row starts at a whole
byte, so that a lookup reads whole bytes of one row alone.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

Bytes = UInt8[Array | np.ndarray, "*rows bytes"]
Codes = UInt8[Array | np.ndarray, "*rows count"]


def packed_bytes(bits: int, count: int) -> int:
    """Bytes that a row of `count` codes takes."""
    return -(-bits * count // 8)


def pack(codes: Codes, bits: int) -> Bytes:
    """Rows of codes as rows of bytes; bits that a code does not have are left out.

    Raises:
        ValueError: codes of so many bits do not fit a byte.
    """
    _check(bits)
    xp = np if isinstance(codes, np.ndarray) else jnp
    *rows, count = codes.shape
    stream = (codes[..., None] >> _spread(range(bits), codes.ndim + 1)) & 1
    stream = stream.reshape(*rows, bits * count)
    missing = -bits * count % 8
    stream = xp.pad(stream, [(0, 0)] * len(rows) + [(0, missing)])
    stream = stream.reshape(*rows, packed_bytes(bits, count), 8)
    return (stream << _spread(range(8), stream.ndim)).sum(axis=-1, dtype=np.uint8)


def unpack(packed: Bytes, bits: int, count: int) -> Codes:
    """The first `count` codes of each row: the inverse of `pack`.

    Raises:
        ValueError: codes of so many bits do not fit a byte, or so many not the rows.
    """
    _check(bits)
    if packed.shape[-1] != packed_bytes(bits, count):
        raise ValueError(
            f"{count} codes of {bits} bits are rows of {packed_bytes(bits, count)} bytes, got rows "
            f"of {packed.shape[-1]}: unpack with the bits and the count they were packed with."
        )
    start = bits * np.arange(count)
    # A code lies in at most two bytes; where it ends in the first, the second is masked away.
    first, second = start // 8, np.minimum(start // 8 + 1, packed.shape[-1] - 1)
    pair = packed[..., first].astype(np.uint16) | packed[..., second].astype(np.uint16) << 8
    shift = _spread(start % 8, packed.ndim).astype(np.uint16)
    return (pair >> shift & ((1 << bits) - 1)).astype(np.uint8)


def _spread(values: range | np.ndarray, rank: int) -> UInt8[np.ndarray, "*ones count"]:
    """Numbers along the last of `rank` axes: JAX may refuse to add axes by itself."""
    return np.asarray(values, np.uint8).reshape((1,) * (rank - 1) + (-1,))


def _check(bits: int) -> None:
    if not 1 <= bits <= 8:
        raise ValueError(f"A code has 1 to 8 bits, got bits={bits}: use at most 256 codes.")
