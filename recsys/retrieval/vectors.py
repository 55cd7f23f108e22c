"""The vectors of all users and items, and the scorer they make.

A user of whom nothing is known (no feature, no history) has the zero vector; it is shown what most
have met, and `Vectors.is_known` tells who that is.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from recsys.data.interactions import size
from recsys.features.batch import Batch
from recsys.features.schema import Schema
from recsys.losses import Softmax
from recsys.models.two_tower import TwoTower, TwoTowerModel
from recsys.retrieval.examples import Sides
from recsys.retrieval.user_batches import shuffled
from recsys.training.step import State, take_apart

BLOCK = 1024  # rows embedded at a time
SHORT = 2  # a history that nobody reads, and that is pooled all the same


@dataclasses.dataclass(frozen=True, eq=False)
class TowerVectors:
    """A vector a user and a vector an item: a `Scorer`."""

    user: Float[Array, "all_users dim"]
    item: Float[Array, "items dim"]
    popularity: Float[
        Array, " items"
    ]  # in [0, 1]: what users score items by of whom nothing is known
    is_known: Bool[np.ndarray, " all_users"]

    def scores(self, users: Int[np.ndarray, " users"]) -> Float[Array, "users items"]:
        return _scores(self.user, self.item, self.popularity, users)


@jax.jit
def _scores(user, item, popularity, users):
    own = user[users]
    is_known = jnp.any(own != 0, axis=1, keepdims=True)
    return jnp.where(is_known, own @ item.T, popularity[None, :])


def embed(
    spec: TwoTower, state: State, sides: Sides, *, history: int = 256, seed: int = 0
) -> TowerVectors:
    """The vectors of all users, from what they met in train, and of all items.

    Args:
        spec: of the model that was trained.
        sides: users, items and who met what, by this time.
        history: most items of a history; a longer one is a sample of this size.
        seed: of that sample.
    """
    user = user_vectors(spec, state, sides, history=history, seed=seed)
    item = item_vectors(spec, state, sides)
    counts = np.bincount(sides.train.indices, minlength=len(item)).astype(np.float32)
    is_known = np.asarray(jnp.any(user != 0, axis=1))
    return TowerVectors(user, item, jnp.asarray(counts / max(counts.max(), 1)), is_known)


def user_vectors(
    spec: TwoTower, state: State, sides: Sides, *, history: int = 256, seed: int = 0
) -> Float[Array, "all_users dim"]:
    """The vectors of users alone; as `embed`."""
    model, sides = _serving(spec, state, sides, history)
    return _embedded(model, _users(sides, seed), size(sides.train)[0], "users")


def item_vectors(spec: TwoTower, state: State, sides: Sides) -> Float[Array, "items dim"]:
    """The vectors of items alone."""
    model, sides = _serving(spec, state, sides, SHORT)
    return _embedded(model, _items(sides), len(sides.items), "items")


def _serving(
    spec: TwoTower, state: State, sides: Sides, history: int
) -> tuple[TwoTowerModel, Sides]:
    """The model, and the sides that it reads."""
    served = serving(spec, history)
    return _merged(served, state), dataclasses.replace(sides, spec=served)


def serving(spec: TwoTower, history: int) -> TwoTower:
    """The spec for looking up: histories of another length, one item an example."""
    features = tuple(
        dataclasses.replace(feature, length=history) if feature.name in spec.known else feature
        for feature in spec.schema.features
    )
    schema: Schema = dataclasses.replace(spec.schema, features=features)
    return dataclasses.replace(
        spec,
        schema=schema,
        targets=1,
        candidates=0,
        in_batch=True,
        is_counted=False,
        loss=Softmax(),  # there is nothing to learn: any that reads no counts
    )


def _merged(spec: TwoTower, state: State) -> TwoTowerModel:
    abstract: TwoTowerModel = nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0)))
    return nnx.merge(take_apart(abstract)[0], state.rows, state.params, state.rest)


def _embedded(
    model: TwoTowerModel, batches: Iterator[Batch], count: int, which: str
) -> Float[Array, "count dim"]:
    found = [_vectors(model, batch, which) for batch in batches]
    return jnp.concatenate([jnp.zeros((0, model.spec.dim)), *found])[:count]


@nnx.jit(static_argnames="which")
def _vectors(model: TwoTowerModel, batch: Batch, which: str) -> Float[Array, "block dim"]:
    vectors = model.embed(batch)
    return model.users(vectors, batch) if which == "users" else model.items(vectors, batch)[:, 0]


def _users(sides: Sides, seed: int) -> Iterator[Batch]:
    nothing = np.zeros((BLOCK, 1), np.int64)
    for users in _blocks(size(sides.train)[0]):
        drawn = shuffled(sides, users, np.random.default_rng((seed, int(users[0]))))
        yield sides.pack(users, drawn.items, drawn.valid, nothing, nothing > 0)


def _items(sides: Sides) -> Iterator[Batch]:
    nothing = np.zeros((BLOCK, 1), np.int64)
    nobody = np.zeros(BLOCK, np.int64)
    for items in _blocks(len(sides.items)):
        yield sides.pack(nobody, nothing, nothing > 0, items[:, None], nothing == 0)


def _blocks(count: int) -> Iterator[Int[np.ndarray, " block"]]:
    """Numbers block by block; the last block ends with number 0 as often as it takes."""
    for start in range(0, count, BLOCK):
        block = np.arange(start, start + BLOCK)
        yield np.where(block < count, block, 0)
