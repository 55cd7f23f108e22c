"""DHE: no table at all; a network turns many hashes of a value into its vector."""

import bisect
import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.features.hashing import philox, salt
from recsys.spec import spec
from recsys.tables.base import Context, EmbeddingTable, Field, Keys, Rows, settled
from recsys.tables.method import Category, Dial, Method

WIDEST = 4096  # hidden layer on the dial, where no vocabulary says how large the full table is
MISH_MEAN, MISH_SPREAD = 0.2404, 0.6281  # of Mish of a standard normal


@spec
@dataclasses.dataclass(frozen=True)
class DHE(Method):
    """A deep network over hashes of the value, which are uniform in [-1, 1).

    Kang et al., "Learning to Embed Categorical Features without Embedding Tables for
    Recommendation", KDD 2021. Every value has a code of `hashes` numbers, and the network is all
    that is stored. One network serves all fields of a table, which differ in their codes.

    The authors normalise every layer over the batch before Mish, so that codes which differ stay
    different through many layers; a vector then depends on running statistics. Here the mean and
    the spread that Mish has at the start are taken out of it instead, and a vector depends on its
    value alone.
    """

    category: ClassVar[Category] = "hashing"
    paper: ClassVar[str] = "Kang et al., KDD 2021"
    has_rows: ClassVar[bool] = False

    hashes: int = 1024  # numbers of a code
    width: int = 64  # of the hidden layers
    layers: int = 5  # hidden ones
    initial: float = 0.05  # vectors start with the spread of a row uniform in [-initial, initial]

    def __post_init__(self):
        if min(self.hashes, self.width, self.layers) < 1:
            raise ValueError(
                f"DHE needs at least one of each, got hashes={self.hashes}, width={self.width}, "
                f"layers={self.layers}: use 1 or more."
            )

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "DHETable":
        return DHETable(self, dim, fields, rngs=rngs)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        inner = (self.layers - 1) * (self.width + 1) * self.width
        return 4 * ((self.hashes + 1) * self.width + inner + (self.width + 1) * dim)

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """Wider hidden layers, until the network weighs as much as the full table."""
        known = [field.values for field in fields if field.values is not None]
        full = 4 * dim * sum(known) if len(known) == len(fields) else math.inf

        def make(number: int) -> "DHE":
            return dataclasses.replace(self, width=number + 1)

        most = bisect.bisect_right(
            range(WIDEST), full, key=lambda n: make(n).table_bytes(dim, fields)
        )
        return Dial(max(1, most), make)


class DHETable(EmbeddingTable):
    """The network, and no rows."""

    def __init__(self, spec: DHE, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs):
        super().__init__(dim, fields, {})
        self.hashes = spec.hashes
        widths = [spec.hashes, *[spec.width] * spec.layers, dim]
        # What comes in has variance 1/3, and what a layer hands on 1; the last makes plain rows.
        gains = [math.sqrt(3), *[1.0] * (spec.layers - 1), spec.initial / math.sqrt(3)]
        self.layers = nnx.Dict(
            {
                str(number): _layer(widths[number], widths[number + 1], gain, rngs)
                for number, gain in enumerate(gains)
            }
        )

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch places"]]:
        return {}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        signal = codes(key, self.fields, self.hashes)
        for number in range(len(self.layers) - 1):
            mixed = self.layers[str(number)](signal)
            signal = (jax.nn.mish(mixed) - MISH_MEAN) / MISH_SPREAD
        vectors = self.layers[str(len(self.layers) - 1)](signal)
        return jnp.where(key.valid[..., None], vectors, 0.0)


def codes(key: Keys, fields: tuple[Field, ...], hashes: int) -> Float[Array, "batch places hashes"]:
    """Numbers uniform in [-1, 1), as many as `hashes`, that belong to each key and field.

    The key is first mixed into two random words. Each number is one sum of their multiples modulo
    2^32, as the authors' hashes are linear modulo a prime; its 24 highest bits are the number.
    """
    own = key.of_place([salt("code", field.salt) for field in fields], "uint32")
    mixed = philox(key.high, key.low, own)
    high, low = (settled(jnp.asarray(word))[:, :, None] for word in mixed)
    numbers = np.arange(hashes, dtype=np.uint32)[None, None]
    first, second = philox(np.zeros_like(numbers), numbers, salt("code", "factors"))
    offset = philox(np.ones_like(numbers), numbers, salt("code", "offset")).low
    linear = high * (first | np.uint32(1)) + low * (second | np.uint32(1)) + offset
    return (linear >> 8).astype(jnp.float32) * np.float32(2**-23) - 1


def _layer(inputs: int, outputs: int, gain: float, rngs: nnx.Rngs) -> nnx.Linear:
    start = nnx.initializers.normal(gain / math.sqrt(inputs))
    return nnx.Linear(inputs, outputs, kernel_init=start, rngs=rngs)
