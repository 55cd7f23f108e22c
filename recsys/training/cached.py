"""Gradients of large batches in the memory of small ones: the gradient cache.

    vectors of all examples, chunk by chunk, without what a gradient needs    (encode)
    the loss, and its gradient on those vectors                              (compare_in_chunks)
    the same chunks again, with that gradient handed to them                 (encode, backwards)

Exact: the gradient is that of the whole batch (Gao et al., "Scaling Deep Contrastive Learning
Batch Size under Memory Limited Setup", RepL4NLP 2021), for twice the forward work. What stays of
each example is its vectors and their gradients, and of each distinct row the sum of its gradients.
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, UInt32

from recsys.features.batch import Batch
from recsys.models.candidates import zeros_after
from recsys.optim.touched import Reads
from recsys.parallel.exchange import Exchange
from recsys.parallel.repeats import add_total
from recsys.tables.base import Context, EmbeddingTable, Keys, Rows
from recsys.training.recipe import Recipe


class Gradients(NamedTuple):
    """What a batch says of params and rows."""

    loss: Float[Array, ""]
    dense: nnx.State
    sums: dict[str, Rows]  # of the distinct rows, in their order
    encoded: Any  # what the model made of each example


def cached_gradients(
    params: nnx.State,
    batch: Batch,
    keys: dict[str, Keys],
    address: dict[str, Any],
    reads: dict[str, dict[str, Reads]],
    *,
    graph: nnx.GraphDef,
    rest: tuple[nnx.State, nnx.State],
    recipe: Recipe,
    exchange: Exchange,
    context: Context,
) -> Gradients:
    """Loss and gradients of a batch, `recipe.cache` examples at a time.

    Args:
        rest: the rows of the model, and what is neither rows nor params.
    """
    rows, other = rest
    size = chunk_of(len(batch), recipe.cache)
    model = nnx.merge(graph, rows, params, other)
    count = len(batch) // size
    chunks, numbers = _apart((batch, keys, address), count), jnp.arange(count, dtype=jnp.uint32)

    def read(address: dict[str, Any]) -> dict[str, Rows]:
        tables = model.embed.tables
        stored = {n: exchange.read(tables[n].stored(), own) for n, own in address.items()}
        return {n: tables[n].load(own) for n, own in stored.items()}

    def encode(
        params: nnx.State, read: dict[str, Rows], batch: Batch, keys: dict[str, Keys], number: Any
    ) -> tuple[Any, Float[Array, ""]]:
        own = nnx.merge(graph, rows, params, other)
        tables = own.embed.tables
        vectors = {n: tables[n].decode(read[n], key, context) for n, key in keys.items()}
        vectors = recipe.drop(vectors, of_chunk(context, number))
        penalties = [tables[n].penalty(read[n], key, context) for n, key in keys.items()]
        encoded = own.encode(own.embed.split(vectors, keys), batch, context)
        return encoded, jnp.float32(0) + sum(penalties)

    def forward(each: tuple) -> tuple[Any, Float[Array, ""]]:
        (own, keys, address), number = each
        return encode(params, read(address), own, keys, number)

    parts, penalties = jax.lax.map(forward, (chunks, numbers))
    encoded = _together(parts)

    loss, grads = model.compare_in_chunks(encoded, batch, chunk=size)
    ranks = {t: {a: read.rank for a, read in own.items()} for t, own in reads.items()}
    given = (chunks, numbers, _apart(grads, count), _chunked(ranks, count))

    def backward(carry: tuple, each: tuple) -> tuple[tuple, None]:
        dense, sums = carry
        (own, keys, address), number, grad, rank = each
        _, back = jax.vjp(
            lambda params, read: encode(params, read, own, keys, number), params, read(address)
        )
        more, of_rows = back((grad, jnp.float32(1 / count)))
        sums = {
            t: {
                a: add_total(sums[t][a], grad.reshape(-1, grad.shape[-1]), rank[t][a])
                for a, grad in own.items()
            }
            for t, own in of_rows.items()
        }
        return (jax.tree.map(jnp.add, dense, more), sums), None

    widths = jax.eval_shape(read, address)
    start = {
        t: {a: zeros_after(loss, (len(reads[t][a].rank), row.shape[-1])) for a, row in own.items()}
        for t, own in widths.items()
    }
    nothing = jax.tree.map(jnp.zeros_like, params)
    (dense, sums), _ = jax.lax.scan(backward, (nothing, start), given)
    return Gradients(loss + jnp.mean(penalties), dense, sums, encoded)


def _apart(whole: Any, count: int) -> Any:
    """Arrays over examples as so many chunks."""
    return jax.tree.map(lambda a: a.reshape(count, len(a) // count, *a.shape[1:]), whole)


def _chunked(ranks: Any, count: int) -> Any:
    """Ranks of places, which lie example by example, as so many chunks."""
    return jax.tree.map(lambda a: a.reshape(count, -1), ranks)


def _together(chunks: Any) -> Any:
    """The inverse."""
    return jax.tree.map(lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), chunks)


def chunk_of(examples: int, most: int) -> int:
    """The largest chunk of at most so many examples that divides a batch."""
    return next(size for size in range(min(most, examples), 0, -1) if examples % size == 0)


def of_chunk(context: Context, number: UInt32[Array, ""]) -> Context:
    """A moment of its own for the noise of each chunk."""
    return dataclasses.replace(context, seed=context.seed ^ (number * jnp.uint32(0x9E3779B9)))


def require_cached(model: Any, recipe: Recipe) -> None:
    """Refuses models and tables whose gradients cannot be cached.

    Raises:
        ValueError: the model does not encode examples one by one, or a table learns in passes or
            from what single places say.
    """
    if not recipe.cache:
        return
    if not hasattr(model, "compare_in_chunks"):
        raise ValueError(
            f"Recipe(cache={recipe.cache}) wants a model that encodes examples and compares them "
            f"afterwards, got {type(model).__name__}: define encode and compare_in_chunks, or "
            "cache nothing."
        )
    tables: dict[str, EmbeddingTable] = dict(model.embed.tables.items())
    watching = [t for t in tables.values() if type(t).observe is not EmbeddingTable.observe]
    if watching:
        raise ValueError(
            f"Recipe(cache={recipe.cache}) wants tables that need no gradient of a place, and "
            f"{type(watching[0]).__name__} watches them: choose another method."
        )
    several = [name for name, table in tables.items() if len(table.passes) > 1]
    if several:
        raise ValueError(
            f"Recipe(cache={recipe.cache}) wants tables that learn in one pass, and "
            f"{type(tables[several[0]]).__name__} learns in several: choose another storage."
        )
