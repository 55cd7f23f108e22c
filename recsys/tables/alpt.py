"""ALPT: rows as integers with learned scales, in a second pass of every step.

Li et al., "Adaptive Low-Precision Training for Embeddings in Click-Through Rate Prediction", AAAI
2023. The first pass is the usual step on the loaded rows. The second sees the updated rows through
a rounding whose gradient reaches the scale (learned step size: Esser et al., ICLR 2020). Then the
rows are rounded at random under the new scale. The scale is as fine as the gradient makes it: rows
that outgrow it are clipped until it follows.
"""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Keys, Noise, Rows
from recsys.tables.integer import SCALE, code_bytes, from_codes, limit_of, to_codes
from recsys.tables.parts import straight_through
from recsys.tables.storage import Storage, StoredAs

BITS = (4, 8, 16)


@spec
@dataclasses.dataclass(frozen=True)
class ALPT(Storage):
    """Another method's rows as integers with a learned float32 scale a row."""

    paper: ClassVar[str] = "Li et al., AAAI 2023"

    bits: int = 8  # of a code: 4, 8 or 16; 4 want rows of an even width
    initial: float = 0.01  # least scale of a row at the start; wider where it would be clipped
    scale_rate: float = 0.02  # learning rate of the scales, relative to the rows'

    def __post_init__(self):
        super().__post_init__()
        if self.bits not in BITS:
            raise ValueError(f"ALPT has codes of 4, 8 or 16 bits, got bits={self.bits}.")
        if not 0 < self.initial < math.inf or not 0 <= self.scale_rate < math.inf:
            raise ValueError(
                "ALPT wants a positive initial scale and a scale_rate of at least 0, got "
                f"initial={self.initial}, scale_rate={self.scale_rate}: try 0.01 and 0.02."
            )

    def wrap(self, inner: EmbeddingTable) -> "ALPTTable":
        return ALPTTable(self, inner)

    def row_bytes(self, width: int) -> int:
        return code_bytes(self.bits, width) + 4

    def holds(self, width: int) -> bool:
        return self.bits * width % 8 == 0


class ALPTTable(StoredAs):
    """Codes and scales that both train: the codes first, then the scales."""

    suffixes = (SCALE,)

    def __init__(self, spec: ALPT, inner: EmbeddingTable):
        self.initial, self.scale_rate, self.bits = spec.initial, spec.scale_rate, spec.bits
        super().__init__(spec, inner)
        self.passes = (*self.passes, tuple(name + SCALE for name in inner.heights))

    def rate(self, array: str) -> float:
        if array.endswith(SCALE):
            return self.scale_rate * self.inner.rate(array.removesuffix(SCALE))
        return self.inner.rate(array)

    def load(self, rows: Rows) -> Rows:
        scales = {n: self._scale(rows[n + SCALE], self.initial) for n in self.held(rows)}
        own = {n: from_codes(rows[n], scale, bits=self.bits) for n, scale in scales.items()}
        return own | {n + SCALE: scale for n, scale in scales.items()}

    def store(self, rows: Rows, noise: Noise) -> Rows:
        own, bits = self.held(rows), self.bits
        largest = {n: jnp.max(jnp.abs(rows[n]), axis=-1, keepdims=True) for n in own}
        starts = {n: jnp.maximum(largest[n] / limit_of(bits), self.initial) for n in own}
        scales = {n: self._scale(rows[n + SCALE], starts[n]) for n in own}
        codes = {n: to_codes(rows[n], scales[n], noise(n), bits=bits) for n in own}
        return codes | {n + SCALE: scale for n, scale in scales.items()}

    def inner_rows(self, rows: Rows, key: Keys, context: Context) -> Rows:
        own = super().inner_rows(rows, key, context)
        if not context.train:
            return own  # as loaded, they are whole multiples of their scale
        batch, limit = len(key.high), limit_of(self.bits)
        return {n: rounded(r, rows[n + SCALE], batch=batch, limit=limit) for n, r in own.items()}

    @staticmethod
    def _scale(scale: Float[Array, "*rows 1"], start: Array | float) -> Float[Array, "*rows 1"]:
        """The scales of rows; one that was cleared, or driven out of range, starts over."""
        return jnp.where((scale > 0) & (scale < jnp.inf), scale, start)


def rounded(
    rows: Float[Array, "*rows width"], scale: Float[Array, "*rows 1"], *, batch: int, limit: int
) -> Float[Array, "*rows width"]:
    """Rows as their nearest codes times their scale, with a gradient for both.

    The rows' gradient passes straight through. That of the scale is round(v) - v for an entry
    v = row / scale within the limit and the limit itself beyond, times
    1 / sqrt(batch * width * limit).
    """
    steps = rows / scale
    codes = jnp.clip(jnp.round(steps), -limit, limit)
    slope = jnp.where(jnp.abs(steps) < limit, codes - steps, codes)
    gain = 1 / math.sqrt(batch * rows.shape[-1] * limit)
    return straight_through(codes * scale, rows + jax.lax.stop_gradient(gain * slope) * scale)
