"""Small tables, and what they answer: each is built and looked up in one compiled call."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from recsys.tables.base import EmbeddingTable, Field, Keys, Span
from recsys.tables.method import Method


def built(method: Method, dim: int, fields: tuple[Field, ...], *, seed: int = 0) -> Any:
    """A new table; the caller may change it."""
    return jax.jit(lambda: method.build(dim, fields, rngs=nnx.Rngs(seed)))()


@functools.partial(jax.jit, static_argnames="spans")
def _vectors(
    table: EmbeddingTable, key: tuple[Array, Array, Array], spans: tuple[Span, ...]
) -> Array:
    return table(Keys(*key, spans))


def look_up(table: EmbeddingTable, key: Keys) -> Float[np.ndarray, "batch places dim"]:
    """The vectors of keys."""
    return np.array(_vectors(table, (key.high, key.low, key.valid), key.spans))


def keys(low: Any, *, valid: Any = True, fields: int = 1) -> Keys:
    """Keys of small integers: one place for each of the fields, or all places of one field."""
    words = np.asarray(low, np.uint32)
    places = words.shape[1]
    spans = [Span(n, n, n + 1) for n in range(fields)] if fields > 1 else [Span(0, 0, places)]
    is_there = jnp.asarray(np.broadcast_to(np.asarray(valid, bool), words.shape))
    return Keys(jnp.zeros(words.shape, jnp.uint32), jnp.asarray(words), is_there, tuple(spans))


def everyone(values: int, fields: int = 1) -> Keys:
    """Every value, one an example, in all of the fields."""
    return keys(np.repeat(np.arange(values)[:, None], fields, axis=1), fields=fields)
