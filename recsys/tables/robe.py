"""ROBE: one circular array of numbers, of which every vector takes runs that start anywhere."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32

from recsys.features.hashing import bucket, philox, salt
from recsys.spec import spec
from recsys.tables.base import MOST_ROWS, OUT, Context, EmbeddingTable, Field, Keys, Rows, settled
from recsys.tables.method import Category, Dial, Method
from recsys.tables.parts import uniform_rows

WORD = 32  # signs in a word of bits


@spec
@dataclasses.dataclass(frozen=True)
class ROBE(Method):
    """ROBE-Z: runs of Z numbers at hashed places of one shared array, each number with a sign.

    Desai, Chou and Shrivastava, "Random Offset Block Embedding Array", MLSys 2022. A vector is cut
    into runs of Z entries, a last one may be shorter. Each run starts at any number of the array,
    by a hash of the value and the run; around the end it goes on at the beginning. Each entry is
    then multiplied with a sign, a hash of the value and the entry: what two values have in common
    by chance cancels in expectation. With a Z longer than the vector, Z // dim neighbouring values
    share a run. Small Z spreads collisions evenly; large Z reads memory in longer pieces.

    Numbers start as those of plain rows do, however short the array. The comparison of Zhang et al.
    (VLDB 2024) starts every method within 1 / sqrt(size of the largest vocabulary) of zero, which
    is next to nothing where vocabularies are large.

    The array is stored in rows as wide as a run, of which a run reads the two that it lies on.
    """

    category: ClassVar[Category] = "hashing"
    paper: ClassVar[str] = "Desai et al., MLSys 2022"

    rows: int = 65_536  # the array holds this many runs, each of z or dim numbers if that is less
    z: int = 8  # numbers of a run, at least 1
    initial: float = 0.05  # numbers start uniform in [-initial, initial]

    def __post_init__(self):
        if self.rows < 1 or self.z < 1:
            raise ValueError(
                f"ROBE needs an array of at least one run of at least one number, got "
                f"rows={self.rows} and z={self.z}: use 1 or more."
            )

    def width(self, dim: int) -> int:
        """Numbers of a run, and of a stored row."""
        return min(self.z, dim)

    def build(self, dim: int, fields: tuple[Field, ...], *, rngs: nnx.Rngs) -> "ROBETable":
        least, most = self._range(dim)
        if not least <= self.rows <= most:
            raise ValueError(
                f"ROBE(z={self.z}) needs between {least} and {most:,} rows for vectors of {dim}: "
                f"one whole run or vector, and places that 31 bits can name, got {self.rows:,}."
            )
        rows = uniform_rows(self.rows, self.width(dim), self.initial, rngs)
        return ROBETable(dim, fields, {"array": rows}, z=self.z)

    def table_bytes(self, dim: int, fields: tuple[Field, ...]) -> int:
        return 4 * self.rows * self.width(dim)

    def dial(self, dim: int, fields: tuple[Field, ...]) -> Dial:
        """From one whole run or vector to as many numbers as the full table has."""
        least, most = self._range(dim)
        known = [field.values for field in fields if field.values is not None]
        if len(known) == len(fields):
            most = min(most, max(least, -(-dim * sum(known) // self.width(dim))))
        return Dial(most - least + 1, lambda n: dataclasses.replace(self, rows=least + n))

    def _range(self, dim: int) -> tuple[int, int]:
        """The fewest rows that hold a run and a vector, and the most that can be named."""
        width = self.width(dim)
        return -(-max(self.z, dim) // width), MOST_ROWS // width


class ROBETable(EmbeddingTable):
    """The array, cut into rows as wide as a run."""

    def __init__(self, dim: int, fields: tuple[Field, ...], rows: Rows, *, z: int):
        super().__init__(dim, fields, rows)
        self.z = z
        self.width = min(z, dim)

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """For each run of each place, the row that it starts in and the one after."""
        row = self._starts(key) // self.width
        both = jnp.stack([row, (row + 1) % self.heights["array"]], axis=-1)
        both = jnp.where(key.valid[:, :, None, None], both, OUT)
        return {"array": both.reshape(both.shape[0], -1)}

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        offset = settled(self._starts(key) % self.width)
        pairs = rows["array"].reshape(*offset.shape, 2 * self.width)
        numbers = windows(pairs, offset)[..., : self.width]
        vectors = numbers.reshape(*key.low.shape, -1)[..., : self.dim]
        return jnp.where(self._is_negative(key), -vectors, vectors)

    def _starts(self, key: Keys) -> Int32[Array, "batch places runs"]:
        """The number of the array that each run of each place starts at."""
        size = self.heights["array"] * self.width
        salts = [[salt("run", run, f.salt) for f in self.fields] for run in range(self._runs)]
        own = np.stack([key.of_place(each, "uint32") for each in salts], axis=-1)
        sharing = max(1, self.z // self.dim)  # so many neighbours share a run
        name = (key.high[:, :, None], key.low[:, :, None] // np.uint32(sharing))
        shift = (key.low % np.uint32(sharing)).astype(jnp.int32) * self.dim
        start = jnp.asarray(bucket(*name, own, size))
        room = size - shift[:, :, None]  # added without a sum of more than 31 bits
        return jnp.where(start < room, start + shift[:, :, None], start - room)

    @property
    def _runs(self) -> int:
        return -(-self.dim // self.width)

    def _is_negative(self, key: Keys) -> Bool[Array, "batch places dim"]:
        """The sign of each entry: a bit of its own."""
        words = []
        for number in range(-(-self.dim // (2 * WORD))):
            own = key.of_place([salt("sign", number, f.salt) for f in self.fields], "uint32")
            mixed = philox(key.high, key.low, own)
            words += [settled(jnp.asarray(mixed.high)), settled(jnp.asarray(mixed.low))]
        entry = np.arange(self.dim)
        place = (entry % WORD).astype(np.uint32)[None, None]
        return (jnp.stack(words, axis=-1)[..., entry // WORD] >> place) & 1 == 1


def windows(
    pairs: Float[Array, "*runs width"], offset: Int32[Array, "*runs"]
) -> Float[Array, "*runs width"]:
    """Each run moved to the front by its offset, a power of two at a time: there is no scatter."""
    for bit in range((pairs.shape[-1] // 2 - 1).bit_length()):
        is_moved = (offset[..., None] >> bit) & 1 == 1
        pairs = jnp.where(is_moved, jnp.roll(pairs, -(1 << bit), axis=-1), pairs)
    return pairs
