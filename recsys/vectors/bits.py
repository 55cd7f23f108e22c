"""Small numbers packed side by side: so many bits each, no byte begun anew for each of them."""

import numpy as np
from jaxtyping import Integer, UInt8


def pack(codes: Integer[np.ndarray, "rows width"], bits: int) -> UInt8[np.ndarray, "rows bytes"]:
    """Numbers below 2^bits, each row ending with a whole byte."""
    places = (codes[:, :, None] >> np.arange(bits)) & 1
    return np.packbits(places.reshape(len(codes), -1).astype(bool), axis=1, bitorder="little")


def unpack(
    packed: UInt8[np.ndarray, "rows bytes"], bits: int, width: int
) -> Integer[np.ndarray, "rows width"]:
    """The inverse of `pack`."""
    places = np.unpackbits(packed, axis=1, count=width * bits, bitorder="little")
    return places.reshape(len(packed), width, bits).astype(np.int64) @ (1 << np.arange(bits))


def row_bytes(bits: int, width: int) -> int:
    """Bytes of a packed row."""
    return -(-bits * width // 8)
