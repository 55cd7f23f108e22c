"""INT8: rows as integers of 8 bits with one scale a row, in training too: a quarter of the bytes.

There is no float copy of the table. A touched row is loaded, updated and rounded back, up or down
at random so that the mean is right: an update much smaller than a step of the scale is not lost, it
changes the code sometimes. Recipe: INT8 of Zhang et al., "Experimental Analysis of Large-scale
Learnable Vector Storage Compression", VLDB 2024, with a scale a row instead of one to be tuned.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int8, UInt16

from recsys.spec import spec
from recsys.tables.base import EmbeddingTable, Noise, Rows
from recsys.tables.parts import round_stochastic
from recsys.tables.storage import Storage, StoredAs

SCALE = ".scale"  # suffix of the array of scales
LIMIT = 127  # the largest code; symmetric, so that a row and its negative cost the same
SMALLEST = 1e-30  # a scale below it could not be divided by


@spec
@dataclasses.dataclass(frozen=True)
class INT8(Storage):
    """Another method's rows as int8 with a bfloat16 scale a row."""

    paper: ClassVar[str] = "Zhang et al., VLDB 2024"

    def wrap(self, inner: EmbeddingTable) -> "INT8Table":
        return INT8Table(self, inner)

    def row_bytes(self, width: int) -> int:
        return width + 2


class INT8Table(StoredAs):
    """Codes and scales of which only the codes train; the scale follows the row's largest entry."""

    suffixes = (SCALE,)

    def load(self, rows: Rows) -> Rows:
        scales = {name + SCALE: from_bits(rows[name + SCALE]) for name in self.inner.heights}
        return scales | {n: from_codes(rows[n], scales[n + SCALE]) for n in self.held(rows)}

    def store(self, rows: Rows, noise: Noise) -> Rows:
        scales = {n + SCALE: fitted_scale(rows[n], rows[n + SCALE]) for n in self.held(rows)}
        codes = {n: to_codes(rows[n], scales[n + SCALE], noise(n)) for n in self.held(rows)}
        return codes | {name: to_bits(scale) for name, scale in scales.items()}


def from_bits(bits: UInt16[Array, "*rows 1"]) -> Float[Array, "*rows 1"]:
    """The float32 whose upper half these bits are: a bfloat16.

    Kept as bits because XLA on a CPU scatters bfloat16 by way of the whole array in float32.
    """
    return jax.lax.bitcast_convert_type(bits.astype(jnp.uint32) << 16, jnp.float32)


def to_bits(scale: Float[Array, "*rows 1"]) -> UInt16[Array, "*rows 1"]:
    """The upper half of the bits of a float32; exact for a bfloat16."""
    return (jax.lax.bitcast_convert_type(scale, jnp.uint32) >> 16).astype(jnp.uint16)


def from_codes(
    codes: Int8[Array, "*rows width"], scale: Float[Array, "*rows 1"]
) -> Float[Array, "*rows width"]:
    """Codes times their scale. Exact for a bfloat16 scale: 7 bits times 8 fit a float32."""
    return codes.astype(jnp.float32) * scale


def to_codes(
    rows: Float[Array, "*rows width"],
    scale: Float[Array, "*rows 1"],
    noise: Float[Array, "*rows width"],
) -> Int8[Array, "*rows width"]:
    """Rows over their scale, rounded with the noise."""
    steps = rows / scale
    whole = jnp.round(steps)
    steps = jnp.where(whole * scale == rows, whole, steps)  # XLA divides by a reciprocal: 62.99999
    return jnp.clip(round_stochastic(steps, noise), -LIMIT, LIMIT).astype(jnp.int8)


def fitted_scale(
    rows: Float[Array, "*rows width"], scale: Float[Array, "*rows 1"]
) -> Float[Array, "*rows 1"]:
    """The old scale while the row fits it and uses half its range, else one that just fits.

    So an entry that did not move divides to its old code, and no noise can change it.
    """
    largest = jnp.max(jnp.abs(rows), axis=-1, keepdims=True)
    fits = (largest <= LIMIT * scale) & (largest >= LIMIT // 2 * scale) & (scale > 0)
    return jnp.where(fits, scale, covering_scale(jnp.maximum(largest, LIMIT * SMALLEST)))


def covering_scale(largest: Float[Array, "*rows 1"]) -> Float[Array, "*rows 1"]:
    """The smallest bfloat16 number, as float32, of which LIMIT times is at least `largest`.

    Rounded by its bits: XLA may drop a conversion to bfloat16 and back. The products are exact.
    """
    bits = jax.lax.bitcast_convert_type(largest / LIMIT, jnp.uint32) & jnp.uint32(0xFFFF0000)
    scale = jax.lax.bitcast_convert_type(bits, jnp.float32)
    for above in (0x10000, 0x20000):  # two, as the division may itself have rounded down
        larger = jax.lax.bitcast_convert_type(bits + jnp.uint32(above), jnp.float32)
        scale = jnp.where(LIMIT * scale < largest, larger, scale)
    return scale
