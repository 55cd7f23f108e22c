"""Small maths that methods share: starting values, rounding, dials."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt32

from recsys.features.hashing import uniform
from recsys.tables.base import MOST_ROWS, Field
from recsys.tables.method import Dial, Method


def uniform_rows(rows: int, width: int, bound: float, rngs: nnx.Rngs) -> Float[Array, "rows width"]:
    """Rows drawn uniformly from [-bound, bound], as Keras starts an embedding."""
    if rows > MOST_ROWS:
        raise ValueError(
            f"An array holds at most {MOST_ROWS:,} rows (gathers have 32-bit indices), got "
            f"{rows:,}: deal the features over several tables."
        )
    return _uniform(jax.random.bits(rngs.params()), jnp.float32(bound), rows=rows, width=width)


@functools.partial(jax.jit, static_argnames=("rows", "width"))
def _uniform(
    seed: UInt32[Array, ""], bound: Float[Array, ""], *, rows: int, width: int
) -> Float[Array, "rows width"]:
    # By counters, which XLA makes where it writes them: jax.random.uniform needs twice the rows'
    # bytes beside them, and a table may be as large as the memory allows.
    row, column = (jax.lax.broadcasted_iota(jnp.uint32, (rows, width), axis) for axis in (0, 1))
    return jnp.asarray(2 * uniform(row, column, seed) - 1) * bound


def straight_through(
    hard: Float[Array, "*shape"], soft: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """The value of `hard` with the gradient of `soft` (Bengio et al., 2013)."""
    # In this order the bits are those of `hard`: soft + (hard - soft) would round.
    return jax.lax.stop_gradient(hard) + (soft - jax.lax.stop_gradient(soft))


def round_stochastic(
    value: Float[Array, "*shape"], noise: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """Up or down to a whole number, right on average; `noise` is uniform in [0, 1)."""
    whole = jnp.floor(value)
    return whole + jnp.floor(value - whole + noise)  # their sum first would round 100 + .9999999 up


def row_dial(method: Method, fields: tuple[Field, ...]) -> Dial:
    """The dial of a method with a free number of `rows`: from one up to one a value."""
    known = [field.values for field in fields if field.values is not None]
    most = MOST_ROWS if len(known) < len(fields) else min(MOST_ROWS, sum(known))
    return Dial(settings=most, make=lambda n: dataclasses.replace(method, rows=n + 1))
