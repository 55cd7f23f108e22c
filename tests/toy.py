"""A small task that the tests share: users who like items, more so where tags say so; and a model.

Clicks follow <user + mean of tags, item> over planted vectors, and so does the model: nearly all
that can be learned is in the tables. Values are frequency ranks, drawn as a power law, as a
vocabulary would give them.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from recsys.embedding import Embedding, Group, Grouped, Layout, PerFeature, Unified, Vectors
from recsys.features import Batch, Feature, Schema
from recsys.losses import LogLoss
from recsys.tables import Hash
from recsys.tables.base import Context
from recsys.tables.method import Method

DIM = 8
TAGS = 3  # places of the bag


def seen(values: int) -> tuple[tuple[int, int], ...]:
    """How often so many values were seen, roughly: a tenth of them most often, a half least."""
    return ((400, values // 10), (100, values * 4 // 10), (30, values - values // 2))


SCHEMA = Schema(
    (
        Feature("user", values=60, counts=seen(60)),
        Feature("item", values=90, counts=seen(90)),
        Feature("tags", kind="bag", length=TAGS, values=40, counts=seen(40)),
        Feature("hour", kind="numeric"),
    )
)


def taller(schema: Schema, times: int) -> Schema:
    """The schema with so many times the values."""
    features = tuple(
        dataclasses.replace(f, values=f.values * times, counts=seen(f.values * times))
        if f.values
        else f
        for f in schema.features
    )
    return dataclasses.replace(schema, features=features)


LAYOUTS: dict[str, Callable[[Method], Layout]] = {
    "unified": lambda method: Unified(method, DIM),
    "per_feature": lambda method: PerFeature(method, DIM),
}


def grouped(method: Method) -> Grouped:
    """The tags hashed in a table of their own, the rest in one of `method`."""
    return Grouped(
        (
            Group(("tags",), PerFeature(Hash(rows=16), DIM)),
            Group(("user", "item"), Unified(method, DIM)),
        )
    )


def clicks(count: int, *, seed: int = 0) -> Batch:
    """Examples of the planted task; its vectors are the same for every seed, the draws are not."""
    planted, drawn = np.random.default_rng(7), np.random.default_rng(seed)
    user, item, tag = (planted.normal(size=(f.values or 0, 4)) for f in SCHEMA.categorical)
    u, i = _ranks(drawn, len(user), (count,)), _ranks(drawn, len(item), (count,))
    t = _ranks(drawn, len(tag), (count, TAGS))
    lengths = drawn.integers(0, TAGS + 1, count)
    is_there = np.arange(TAGS) < lengths[:, None]
    mean = (tag[t] * is_there[..., None]).sum(axis=1) / np.maximum(lengths, 1)[:, None]
    logit = 1.5 * ((user[u] + mean) * item[i]).sum(axis=1)
    columns = {
        "user": u,
        "item": i,
        "tags": [row[:length] for row, length in zip(t, lengths, strict=True)],
        "hour": drawn.random(count),
        "label": drawn.random(count) < 1 / (1 + np.exp(-logit)),
    }
    return SCHEMA.encode(columns)


def poisoned(batch: Batch) -> Batch:
    """The batch with one label that is not a number."""
    label = np.array(batch.label)
    label[len(label) // 2] = np.nan
    return dataclasses.replace(batch, label=label)


class Toy(nnx.Module):
    """<user + tags, item>, and a linear head over everything."""

    def __init__(self, layout: Layout, *, seed: int = 0, schema: Schema = SCHEMA):
        rngs = nnx.Rngs(seed)
        self.embed = Embedding(schema, layout, rngs=rngs)
        self.head = nnx.Linear(self.embed.width + len(schema.numeric), 1, rngs=rngs)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        context = vectors["user"] + vectors["tags"]
        side = jnp.concatenate([vectors.concatenated(), jnp.asarray(batch.numbers)], axis=-1)
        return jnp.sum(context * vectors["item"], axis=-1) + self.head(side)[:, 0]

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        return LogLoss()(self(vectors, batch), batch.label, batch.weight)


def as_numpy(tree: object) -> list[tuple[str, np.ndarray]]:
    """Every array of a tree, copied to the host, by its path."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path), np.array(leaf)) for path, leaf in leaves]


def _ranks(drawn: np.random.Generator, values: int, shape: tuple[int, ...]) -> np.ndarray:
    return (values * drawn.random(shape) ** 2).astype(np.int64)
