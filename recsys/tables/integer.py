"""Integers of 4, 8 or 16 bits with one scale a row: the codec of INT4, INT8, INT16 and ALPT.

There is no float copy of the table. A touched row is loaded, updated and rounded back, up or down
at random so that the mean is right: an update much smaller than a step of the scale is not lost, it
changes the code sometimes. Recipe: INT8 and INT16 of Zhang et al., "Experimental Analysis of
Large-scale Learnable Vector Storage Compression", VLDB 2024, with a scale a row instead of one to
be tuned.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int8, Int16, UInt16

from recsys.tables.base import EmbeddingTable, Noise, Rows
from recsys.tables.parts import round_stochastic
from recsys.tables.storage import Storage, StoredAs

SCALE = ".scale"  # suffix of the array of scales
SMALLEST = 1e-30  # a scale below it could not be divided by
PAIR = 16  # a byte of two codes of 4 bits is this times the one plus the other

Codes = Int8[Array, "*rows bytes"] | Int16[Array, "*rows width"]


@dataclasses.dataclass(frozen=True)
class Integer(Storage):
    """Another method's rows as integers with a bfloat16 scale a row."""

    bits: ClassVar[int]
    paper: ClassVar[str] = "Zhang et al., VLDB 2024"

    def wrap(self, inner: EmbeddingTable) -> "IntegerTable":
        return IntegerTable(self, inner)

    def row_bytes(self, width: int) -> int:
        return code_bytes(self.bits, width) + 2

    def holds(self, width: int) -> bool:
        return self.bits * width % 8 == 0


class IntegerTable(StoredAs):
    """Codes and scales of which only the codes train; the scale follows the row's largest entry."""

    suffixes = (SCALE,)

    def __init__(self, spec: Integer, inner: EmbeddingTable):
        self.bits = spec.bits
        super().__init__(spec, inner)

    def load(self, rows: Rows) -> Rows:
        scales = {name + SCALE: from_bits(rows[name + SCALE]) for name in self.inner.heights}
        own = {n: from_codes(rows[n], scales[n + SCALE], bits=self.bits) for n in self.held(rows)}
        return scales | own

    def store(self, rows: Rows, noise: Noise) -> Rows:
        own, bits = self.held(rows), self.bits
        scales = {n: fitted_scale(rows[n], rows[n + SCALE], bits=bits) for n in own}
        codes = {n: to_codes(rows[n], scales[n], noise(n), bits=bits) for n in own}
        return codes | {name + SCALE: to_bits(scale) for name, scale in scales.items()}


def limit_of(bits: int) -> int:
    """The largest code; symmetric, so that a row and its negative cost the same."""
    return 2 ** (bits - 1) - 1


def code_bytes(bits: int, width: int) -> int:
    """Bytes of the codes of a row.

    Raises:
        ValueError: two codes a byte do not fill the last one.
    """
    if bits * width % 8:
        raise ValueError(
            f"Codes of {bits} bits fill whole bytes only in rows of an even width, got a width of "
            f"{width}: use an even dim, or codes of 8 bits."
        )
    return bits * width // 8


def from_bits(bits: UInt16[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The float32 whose upper half these bits are: a bfloat16.

    Kept as bits because XLA on a CPU scatters bfloat16 by way of the whole array in float32.
    """
    return jax.lax.bitcast_convert_type(bits.astype(jnp.uint32) << 16, jnp.float32)


def to_bits(value: Float[Array, "*shape"]) -> UInt16[Array, "*shape"]:
    """The upper half of the bits of a float32; exact for a bfloat16."""
    return (jax.lax.bitcast_convert_type(value, jnp.uint32) >> 16).astype(jnp.uint16)


def from_codes(
    codes: Codes, scale: Float[Array, "*rows 1"], *, bits: int
) -> Float[Array, "*rows width"]:
    """Codes times their scale. Exact for a bfloat16 scale: 15 bits times 8 fit a float32."""
    whole = apart(codes) if bits == 4 else codes
    return whole.astype(jnp.float32) * scale


def to_codes(
    rows: Float[Array, "*rows width"],
    scale: Float[Array, "*rows 1"],
    noise: Float[Array, "*rows width"],
    *,
    bits: int,
) -> Codes:
    """Rows over their scale, rounded with the noise."""
    steps = rows / scale
    whole = jnp.round(steps)
    steps = jnp.where(whole * scale == rows, whole, steps)  # XLA divides by a reciprocal: 62.99999
    codes = jnp.clip(round_stochastic(steps, noise), -limit_of(bits), limit_of(bits))
    return paired(codes.astype(jnp.int8)) if bits == 4 else codes.astype(f"int{bits}")


def paired(codes: Int8[Array, "*rows width"]) -> Int8[Array, "*rows bytes"]:
    """Codes from -7 to 7, two a byte: those of the first half of a row 16 times, of the second
    once.

    So a byte of zero is two codes of zero, and it grows with either code.
    """
    left, right = jnp.split(codes, 2, axis=-1)
    return jnp.int8(PAIR) * left + right


def apart(pairs: Int8[Array, "*rows bytes"]) -> Int8[Array, "*rows width"]:
    """The codes of pairs: the inverse of `paired`."""
    left = (pairs + jnp.int8(PAIR // 2)) >> 4  # a shift of integers with a sign rounds down
    return jnp.concatenate([left, pairs - jnp.int8(PAIR) * left], axis=-1)


def fitted_scale(
    rows: Float[Array, "*rows width"], scale: Float[Array, "*rows 1"], *, bits: int
) -> Float[Array, "*rows 1"]:
    """The old scale while the row fits it and uses half its range, else one that just fits.

    So an entry that did not move divides to its old code, and no noise can change it.
    """
    limit = limit_of(bits)
    largest = jnp.max(jnp.abs(rows), axis=-1, keepdims=True)
    fits = (largest <= limit * scale) & (largest >= limit // 2 * scale) & (scale > 0)
    fresh = covering_scale(jnp.maximum(largest, limit * SMALLEST), bits=bits)
    return jnp.where(fits, scale, fresh)


def covering_scale(largest: Float[Array, "*rows 1"], *, bits: int) -> Float[Array, "*rows 1"]:
    """The smallest bfloat16 number, as float32, of which the largest code times covers `largest`.

    Rounded by its bits: XLA may drop a conversion to bfloat16 and back. The products are exact.
    """
    limit = limit_of(bits)
    below = jax.lax.bitcast_convert_type(largest / limit, jnp.uint32) & jnp.uint32(0xFFFF0000)
    scale = jax.lax.bitcast_convert_type(below, jnp.float32)
    for above in (0x10000, 0x20000):  # two, as the division may itself have rounded down
        larger = jax.lax.bitcast_convert_type(below + jnp.uint32(above), jnp.float32)
        scale = jnp.where(limit * scale < largest, larger, scale)
    return scale
