"""The table interface: vector = decode(load(read(address(key))), key).

`address` says which rows of which stored array a key reads, `load`/`store` are the storage codec
of a row, `decode` is the maths. Where rows live and how they move is the exchange's business
(`recsys.parallel`), how they learn is the row optimizer's (`recsys.optim`). A method that fits
here trains, shards, saves and serves.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, Int32, Integer, PRNGKeyArray, UInt32

from recsys.pytree import STATIC, pytree

OUT = 2**31 - 1  # the address of padding, beyond every array: reads fill with zero, writes drop
HEIGHT_MULTIPLE = 512  # stored arrays are padded to this many rows, so that any mesh divides them
MOST_ROWS = 2**31 - HEIGHT_MULTIPLE  # of one array: gathers have 32-bit indices, OUT is beyond it

Rows = dict[str, Array]  # array name -> rows; stored or float, at their places or whole


class Row(nnx.Variable):
    """A stored array (height, width): split by row, moved only where read; its slots share its
    leading axis.
    """


class Choice(nnx.Variable):
    """Architecture weights: not a Param, because a stage trains them on its own split."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One key space that reads a table: a lookup of a feature."""

    name: str  # of the feature
    values: int | None  # of its vocabulary, the unknown one included; None: hashed fingerprints
    salt: int  # uint32; independent for every lookup of every key space
    counts: tuple[tuple[int, int], ...] | None = None  # times seen, values seen so often; falling

    @property
    def size(self) -> int:
        """Number of values, for methods that need a vocabulary.

        Raises:
            ValueError: the feature is hashed.
        """
        if self.values is None:
            raise ValueError(
                f"This table gives every value its own row and needs a vocabulary for feature "
                f"{self.name!r}, which is hashed: set values, or choose a method that hashes."
            )
        return self.values


@dataclasses.dataclass(frozen=True)
class Span:
    """The places of one field in the fused keys of a table; static."""

    field: int  # index into the table's fields
    start: int
    stop: int


@pytree
@dataclasses.dataclass(frozen=True)
class Keys:
    """Everything that reads one table in a batch, fused: a 64-bit fingerprint, or (0, frequency
    rank).
    """

    high: UInt32[Array, "batch places"]
    low: UInt32[Array, "batch places"]
    valid: Bool[Array, "batch places"]  # False: padding, addressed to OUT
    spans: tuple[Span, ...] = dataclasses.field(metadata=STATIC)

    @property
    def places(self) -> int:
        return self.spans[-1].stop

    def of_place(self, values: list[int] | tuple[int, ...], dtype: str) -> np.ndarray:
        """A value for each field, repeated for its places: a constant of the compiled step."""
        widths = [span.stop - span.start for span in self.spans]
        return np.repeat(np.asarray([values[span.field] for span in self.spans], dtype), widths)[
            None
        ]

    def part(self, span: Span) -> "Keys":
        """The keys of one span alone."""
        cut = slice(span.start, span.stop)
        here = dataclasses.replace(span, start=0, stop=span.stop - span.start)
        return Keys(self.high[:, cut], self.low[:, cut], self.valid[:, cut], (here,))


def as_it_is(array: Array) -> Array:
    """The array: all there is to do where there is one device."""
    return array


@pytree
@dataclasses.dataclass(frozen=True)
class Context:
    """What a table may know of the moment: the step, the seed of all randomness, and whether it
    learns.
    """

    step: Int32[Array, ""]
    seed: UInt32[Array, ""]
    train: bool = dataclasses.field(metadata=STATIC)
    everywhere: Callable[[Array], Array] = dataclasses.field(default=as_it_is, metadata=STATIC)
    # puts a small array of the batch on every device, before it meets state that is on every device

    @property
    def rng(self) -> PRNGKeyArray:
        """A key that is new at every step and the same on every device."""
        return jax.random.fold_in(jax.random.key(self.seed), self.step)

    @classmethod
    def still(cls) -> "Context":
        """For looking up without learning."""
        return cls(step=jnp.int32(0), seed=jnp.uint32(0), train=False)


class Moves(NamedTuple):
    """Rows that change place within one stored array, their optimizer slots with them.

    All sources are read before any target is written. A source of OUT clears its target (row and
    slots); a target of OUT is no move.
    """

    source: Int32[Array, " moves"]
    target: Int32[Array, " moves"]
    plus: Int32[Array, " moves"] | None = None  # rows that are added on the way; OUT: nothing is


Noise = Callable[
    [str], Float[Array, "rows width"]
]  # array name -> uniform [0, 1), a function of the row


class EmbeddingTable(nnx.Module):
    """Keys in, vectors out. Subclasses say how; all they learn is in `rows` and in their
    `nnx.Param`s.
    """

    passes: tuple[tuple[str, ...], ...] = ((),)  # arrays trained in each pass; () is all of them
    period: int = 0  # steps between `maintain`s; 0 is never

    def __init__(self, dim: int, fields: tuple[Field, ...], rows: Mapping[str, Array]):
        self.dim = dim
        self.fields = fields
        self._heights = tuple((name, len(array)) for name, array in rows.items())
        self.rows = nnx.Dict({name: Row(padded(array)) for name, array in rows.items()})

    @property
    def heights(self) -> dict[str, int]:
        """Rows of each stored array, its padding not counted."""
        return dict(self._heights)

    def rate(self, array: str) -> float:
        """The learning rate of an array relative to the table's."""
        return 1.0

    def address(self, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
        """The rows that a key reads, of each array; may look at small replicated state only.

        Arrays with the same addresses return the same object: the repeats in it are then found
        once.
        """
        raise TypeError(
            f"{type(self).__name__} does not say which rows a key reads: define address."
        )

    def load(self, rows: Rows) -> Rows:
        """Stored rows as float rows; row by row, without looking at any other."""
        return rows

    def store(self, rows: Rows, noise: Noise) -> Rows:
        """The inverse of `load`; rounds with the noise that belongs to the row."""
        return rows

    def decode(self, rows: Rows, key: Keys, context: Context) -> Float[Array, "batch places dim"]:
        """Float rows at their places as vectors; differentiable."""
        raise TypeError(f"{type(self).__name__} does not say what its rows mean: define decode.")

    def added(self, rows: Rows, more: Rows) -> Rows:
        """Stored rows that mean the sums of what both mean."""
        return {name: rows[name] + more[name] for name in rows}

    def penalty(self, rows: Rows, key: Keys, context: Context) -> Float[Array, ""]:
        """What the table adds to the loss."""
        return jnp.float32(0)

    def observe(self, key: Keys, grads: Rows, context: Context) -> dict[str, Moves]:
        """Takes note of a step from the gradients of the rows at their places; says which rows
        move.

        After a step that was skipped (its loss was not finite), every key is invalid.
        """
        return {}

    def maintain(self, context: Context) -> dict[str, Moves]:
        """Work on the whole table, every `period` steps, compiled by itself."""
        return {}

    def advance(self, stage: str) -> "EmbeddingTable":
        """The table that the next stage trains: masked, merged, resized."""
        return self

    def freeze(self) -> "EmbeddingTable":
        """The served form: the smallest that gives the same vectors, each array at its exact
        height.
        """
        frozen = nnx.clone(self)
        frozen.rows = nnx.Dict(
            {name: Row(row[...][: self.heights[name]]) for name, row in self.rows.items()}
        )
        return frozen

    def stored(self) -> Rows:
        """The stored arrays, whole."""
        return {name: row[...] for name, row in self.rows.items()}

    def __call__(
        self, key: Keys, context: Context | None = None
    ) -> Float[Array, "batch places dim"]:
        """Looks up without a mesh or a train step: for evaluation, serving and your own loop."""
        rows = self.load(read(self.stored(), addresses(self, key)))
        return self.decode(rows, key, context or Context.still())


def addresses(table: EmbeddingTable, key: Keys) -> dict[str, Int32[Array, "batch _"]]:
    """The rows that a key reads, worked out once."""
    found = table.address(key)
    once = {id(rows): settled(rows) for rows in found.values()}
    return {name: once[id(rows)] for name, rows in found.items()}


def settled(integers: Integer[Array, "..."]) -> Integer[Array, "..."]:
    """The same integers, worked out once.

    XLA on a CPU fuses a hash into every loop that reads it, and hashes again for each entry of a
    row (optimization barriers are gone by then); a conditional is where fusion stops.
    """
    most = integers.dtype.type(np.iinfo(integers.dtype).max)  # of addresses, OUT

    def as_they_are(array: Integer[Array, "..."]) -> Integer[Array, "..."]:
        return jax.lax.cond(
            jnp.any(array != most), lambda: array, lambda: jnp.full_like(array, most)
        )

    return jax.lax.platform_dependent(integers, cpu=as_they_are, default=lambda array: array)


def read(stored: Rows, address: Mapping[str, Int[Array, "..."]]) -> Rows:
    """The addressed rows of each array; OUT reads zeros."""
    return {name: _gather(stored[name], rows) for name, rows in address.items()}


def _gather(array: Array, rows: Int[Array, "*places"]) -> Array:
    def take() -> Array:
        return array.at[rows].get(mode="fill", fill_value=0)

    def take_apart() -> Array:
        # On a CPU a gather is slower fused with what reads it; a conditional keeps it apart.
        nothing = jnp.zeros((*rows.shape, array.shape[1]), array.dtype)
        return jax.lax.cond(jnp.any(rows != OUT), take, lambda: nothing)

    return jax.lax.platform_dependent(cpu=take_apart, default=take)


def padded(array: Array) -> Array:
    """The array with zero rows up to a multiple of HEIGHT_MULTIPLE."""
    missing = -len(array) % HEIGHT_MULTIPLE
    return jnp.pad(array, ((0, missing), (0, 0))) if missing else array


def masked(rows: Int32[Array, "batch places"], key: Keys) -> Int32[Array, "batch places"]:
    """Addresses with padding sent to OUT."""
    return jnp.where(key.valid, rows, OUT)


def payload(table: EmbeddingTable) -> dict[str, Array]:
    """Every array that saving the table writes, by its path."""
    state = nnx.to_flat_state(nnx.state(table))
    return {"/".join(map(str, path)): variable[...] for path, variable in state}


def payload_bytes(table: EmbeddingTable) -> int:
    """Bytes of what saving the table writes."""
    return sum(array.nbytes for array in payload(table).values())
