"""Bare JAX: the same step written by hand for one table, to show what the library costs over it.

No storage codec, no mesh, no methods, no guards against padding or non-finite losses; only plain
SGD on the network and exact row-wise Adagrad on the touched rows.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from experiments.benchmarks.batches import Batch
from recsys.features.hashing import uniform
from recsys.parallel.repeats import claim, total
from recsys.tables.base import OUT

Network = list[tuple[Array, Array]]


class BareJAX:
    """One float32 table of `rows` x `dim`, read by every feature, below a ReLU network."""

    name = "bare JAX"
    recipe = "row-wise Adagrad"

    def __init__(
        self,
        *,
        rows: int,
        dim: int,
        features: int,
        batches: list[Batch],
        hidden: tuple[int, ...] = (256, 128),
        learning_rate: float = 0.01,
        epsilon: float = 1e-8,
    ) -> None:
        self.rate, self.epsilon = learning_rate, epsilon
        self.table = _uniform(rows, dim)
        self.sums = jnp.zeros((rows, 1))
        self.network = _network(jax.random.key(1), (features * dim, *hidden, 1))
        self.batches = [
            (jnp.asarray(ids.reshape(-1).astype(np.int32)), jnp.asarray(labels))
            for ids, labels in batches
        ]
        self.upstream = jax.random.normal(jax.random.key(2), (batches[0][0].size, dim))
        self._step = jax.jit(self._whole, donate_argnums=(0, 1, 2))
        self._look_up = jax.jit(_read)
        self._learn = jax.jit(self._update, donate_argnums=(0, 1))

    def step(self, i: int) -> Array:
        """Reads, learns and writes: queues one whole train step."""
        ids, labels = self.batches[i % len(self.batches)]
        self.table, self.sums, self.network, loss = self._step(
            self.table, self.sums, self.network, ids, labels
        )
        return loss

    def embedding(self, i: int) -> Any:
        """Only the lookup, and the update by a given gradient."""
        ids, _ = self.batches[i % len(self.batches)]
        vectors = self._look_up(self.table, ids)
        self.table, self.sums = self._learn(self.table, self.sums, ids, self.upstream)
        return self.sums, vectors

    def _whole(
        self,
        table: Float[Array, "rows dim"],
        sums: Float[Array, "rows 1"],
        network: Network,
        ids: Int32[Array, " places"],
        labels: Float32[Array, " batch"],
    ):
        rows = _read(table, ids)

        def loss(network: Network, rows: Float[Array, "places dim"]) -> Float[Array, ""]:
            logit = _forward(network, rows.reshape(len(labels), -1))
            return jnp.mean(jax.nn.softplus(logit) - labels * logit)

        value, (slope, grad) = jax.value_and_grad(loss, argnums=(0, 1))(network, rows)
        table, sums = self._update(table, sums, ids, grad)
        network = jax.tree.map(lambda weight, by: weight - self.rate * by, network, slope)
        return table, sums, network, value

    def _update(
        self,
        table: Float[Array, "rows dim"],
        sums: Float[Array, "rows 1"],
        ids: Int32[Array, " places"],
        grad: Float[Array, "places dim"],
    ):
        first = claim(ids)
        grad = total(grad, first)
        here = jnp.arange(len(ids), dtype=jnp.int32)
        touched = jnp.where(first == here, ids, OUT - here)
        squared = sums.at[touched].get(mode="fill", fill_value=0)
        squared = squared + jnp.mean(grad * grad, axis=-1, keepdims=True)
        change = -self.rate * grad * jax.lax.rsqrt(squared + self.epsilon)
        return (
            table.at[touched].add(change, mode="drop", unique_indices=True),
            sums.at[touched].set(squared, mode="drop", unique_indices=True),
        )


def _read(
    table: Float[Array, "rows dim"], ids: Int32[Array, " places"]
) -> Float[Array, "places dim"]:
    return table.at[ids].get(mode="fill", fill_value=0)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _uniform(rows: int, dim: int) -> Float[Array, "rows dim"]:
    row, column = (jax.lax.broadcasted_iota(jnp.uint32, (rows, dim), axis) for axis in (0, 1))
    return jnp.asarray(uniform(row, column, 0) - 0.5) * 0.02


def _network(key: Array, widths: tuple[int, ...]) -> Network:
    return [
        (jax.random.normal(jax.random.fold_in(key, i), pair) * pair[0] ** -0.5, jnp.zeros(pair[1]))
        for i, pair in enumerate(itertools.pairwise(widths))
    ]


def _forward(network: Network, inputs: Float[Array, "batch inputs"]) -> Float[Array, " batch"]:
    for i, (weight, bias) in enumerate(network):
        inputs = inputs @ weight + bias[None, :]
        inputs = jax.nn.relu(inputs) if i < len(network) - 1 else inputs
    return inputs[:, 0]
