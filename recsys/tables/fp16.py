"""FP16 and BF16: rows as floats of 16 bits, in training too: half of the bytes.

There is no float32 copy of the table. A touched row is loaded, updated and rounded back up or down
at random, right on average (Gupta et al., "Deep Learning with Limited Numerical Precision", ICML
2015): rounded to the nearest, updates below half a step of the format would be lost.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt16

from recsys.spec import spec
from recsys.tables.base import EmbeddingTable, Noise, Rows
from recsys.tables.integer import from_bits, to_bits
from recsys.tables.parts import round_stochastic
from recsys.tables.storage import Storage, StoredAs

EXPONENT = 0x7F800000  # the bits of a float32 that say between which powers of two it lies


@dataclasses.dataclass(frozen=True)
class Short(Storage):
    """Another method's rows as floats of 16 bits."""

    def row_bytes(self, width: int) -> int:
        return 2 * width


@spec
@dataclasses.dataclass(frozen=True)
class FP16(Short):
    """Another method's rows as half floats: steps of 1/1024 of an entry, up to 65,504."""

    paper: ClassVar[str] = "Micikevicius et al., ICLR 2018"

    def wrap(self, inner: EmbeddingTable) -> "FP16Table":
        return FP16Table(self, inner)


@spec
@dataclasses.dataclass(frozen=True)
class BF16(Short):
    """Another method's rows as bfloat16: steps of 1/128 of an entry, and the range of float32."""

    paper: ClassVar[str] = "Zamirai et al., 2020"

    def wrap(self, inner: EmbeddingTable) -> "BF16Table":
        return BF16Table(self, inner)


class ShortTable(StoredAs):
    """The bits of the floats: XLA on a CPU scatters floats of 16 bits by way of the whole array in
    float32.
    """

    fraction: ClassVar[int]  # bits of it
    smallest: ClassVar[float]  # the power of two below which steps get no finer
    largest: ClassVar[float]

    def load(self, rows: Rows) -> Rows:
        return {name: self.floats_of(rows[name]) for name in self.held(rows)}

    def store(self, rows: Rows, noise: Noise) -> Rows:
        return {
            name: self.bits_of(self.rounded(rows[name], noise(name))) for name in self.held(rows)
        }

    def floats_of(self, bits: UInt16[Array, "*rows width"]) -> Float[Array, "*rows width"]:
        """The floats that the bits mean."""
        raise TypeError(f"{type(self).__name__} does not say what bits mean: define floats_of.")

    def bits_of(self, rows: Float[Array, "*rows width"]) -> UInt16[Array, "*rows width"]:
        """The bits of floats that the format has."""
        raise TypeError(f"{type(self).__name__} does not say how floats look: define bits_of.")

    def rounded(
        self, rows: Float[Array, "*rows width"], noise: Float[Array, "*rows width"]
    ) -> Float[Array, "*rows width"]:
        """Rows up or down to floats that the format has; beyond its range, to its largest."""
        rows = jnp.clip(rows, -self.largest, self.largest)
        bits = jax.lax.bitcast_convert_type(rows, jnp.uint32) & jnp.uint32(EXPONENT)
        power = jax.lax.bitcast_convert_type(bits, jnp.float32)
        step = jnp.maximum(power, self.smallest) * 2.0**-self.fraction
        return round_stochastic(rows / step, noise) * step  # exact: a step is a power of two


class FP16Table(ShortTable):
    """Half floats: IEEE 754 binary16."""

    fraction, smallest, largest = 10, 2.0**-14, 65_504.0

    def floats_of(self, bits: UInt16[Array, "*rows width"]) -> Float[Array, "*rows width"]:
        return jax.lax.bitcast_convert_type(bits, jnp.float16).astype(jnp.float32)

    def bits_of(self, rows: Float[Array, "*rows width"]) -> UInt16[Array, "*rows width"]:
        return jax.lax.bitcast_convert_type(rows.astype(jnp.float16), jnp.uint16)


class BF16Table(ShortTable):
    """The upper halves of float32; tiny entries stop where XLA on a CPU takes floats for zero."""

    fraction, smallest, largest = 7, 2.0**-100, 255 * 2.0**120

    def floats_of(self, bits: UInt16[Array, "*rows width"]) -> Float[Array, "*rows width"]:
        return from_bits(bits)

    def bits_of(self, rows: Float[Array, "*rows width"]) -> UInt16[Array, "*rows width"]:
        return to_bits(rows)
