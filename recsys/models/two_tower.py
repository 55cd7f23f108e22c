"""Two towers: a vector of the user and one of the item, whose product says how well they fit.

Negatives are the candidates of the batch: what its other users chose (`in_batch`), and the items
that examples bring along (`candidates`), drawn or the whole catalogue. What a user is known to
have met, its targets and its history, is no negative to it.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int32, UInt32

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Embedding, Vectors
from recsys.features.batch import Batch
from recsys.features.schema import Feature, Schema
from recsys.losses import BPR, GBCE, CosineContrastive, Hinge, Scores, Softmax
from recsys.losses.retrieval import own
from recsys.models.candidates import Asked, Candidates, Encoded, Memory, zeros_after
from recsys.models.packing import packed
from recsys.models.tower import Places, Projections, Tower, TowerLayers
from recsys.spec import spec
from recsys.tables.base import Context
from recsys.towers.direction import unit


@spec
@dataclasses.dataclass(frozen=True)
class TwoTower:
    """A retrieval model over any schema and layout."""

    schema: Schema  # one user and one item; features of one key space share their rows
    layout: Layout
    user: Tower
    item: Tower  # its first feature tells items apart
    dim: int = 64  # of the vectors
    cosine: bool = True  # of vectors of length 1; False: their dot product
    temperature: float = 0.1  # training divides scores by it
    loss: Softmax | CosineContrastive | BPR | GBCE | Hinge = Softmax()
    targets: int = 1  # items that an example asks for
    candidates: int = 0  # items that an example brings along as negatives for the whole batch
    in_batch: bool = True  # what other users chose are negatives
    is_counted: bool = False  # batches say how often each item was expected among candidates
    memory: int = 0  # candidates of earlier batches that stay negatives, as they were then
    projected: bool = True  # a linear map for each key space where several share a table

    def __post_init__(self):
        counts = (self.dim, self.targets, self.candidates + 1, self.memory + 1)
        if min(counts) < 1 or self.temperature <= 0:
            raise ValueError(
                "TwoTower wants dim and targets of at least 1, memory and candidates of at least 0 "
                f"and a temperature above 0, got dim={self.dim}, targets={self.targets}, "
                f"candidates={self.candidates}, memory={self.memory}, "
                f"temperature={self.temperature}."
            )
        if not self.in_batch and not self.candidates:
            raise ValueError(
                "TwoTower wants negatives, got in_batch=False and candidates=0: allow one of them."
            )
        if isinstance(self.loss, CosineContrastive) and self.loss.slack and not self.is_counted:
            raise ValueError(
                f"TwoTower wants is_counted=True for a slack of {self.loss.slack}, which reads how "
                "often items were expected: set it, and count them in batches."
            )
        names = [feature.name for feature in self.schema.features]
        named = [*self.user.features, *self.item.features]
        if sorted(named) != sorted(names):
            raise ValueError(
                f"TwoTower wants each of {', '.join(names)} in one tower, got {', '.join(named)}: "
                "name every feature of the schema once."
            )
        if not self.feature(self.item.features[0]).reads_table:
            raise ValueError(
                f"TwoTower tells items apart by the first feature of their tower, got the number "
                f"{self.item.features[0]!r}: name the item's id first."
            )
        _ = self.packed

    @property
    def slots(self) -> int:
        """Items of an example."""
        return self.targets + self.candidates

    @property
    def packed(self) -> Schema:
        """The schema of the batches that it reads."""
        return packed(self.schema, self.item.features, self.slots, is_counted=self.is_counted)

    @property
    def known(self) -> tuple[str, ...]:
        """Features of the user that hold items: those in the key space of the item's id."""
        space = self.feature(self.item.features[0]).key_space
        features = [self.feature(name) for name in self.user.features]
        return tuple(f.name for f in features if f.reads_table and f.key_space == space)

    def build(self, *, rngs: nnx.Rngs) -> "TwoTowerModel":
        return TwoTowerModel(self, rngs=rngs)

    def feature(self, name: str) -> Feature:
        """A feature of the schema by its name."""
        return next(f for f in self.schema.features if f.name == name)


class TwoTowerModel(nnx.Module):
    """Users and items to vectors, and what a batch says of them."""

    def __init__(self, spec: TwoTower, *, rngs: nnx.Rngs):
        self.spec = spec
        self.embed = Embedding(spec.packed, spec.layout, rngs=rngs)
        self.project = Projections(self.embed, spec.dim, is_shared=spec.projected, rngs=rngs)
        features = {feature.name: feature for feature in spec.schema.features}
        self.user = TowerLayers(spec.user, features, spec.dim, rngs=rngs)
        self.item = TowerLayers(spec.item, features, spec.dim, rngs=rngs)
        self.memory = Memory(spec.memory, spec.dim) if spec.memory else None

    def users(self, vectors: Vectors, batch: Batch) -> Float[Array, "batch dim"]:
        """The vector of each example's user."""
        spec = self.spec
        places = {name: self._places(name, vectors, batch) for name in self.user.categorical}
        return self._scaled(self.user(places, self._numbers(spec.user, batch)))

    def items(self, vectors: Vectors, batch: Batch) -> Float[Array, "batch slots dim"]:
        """The vectors of each example's items."""
        spec, size = self.spec, batch.label.shape[0]
        places = {name: self._slots(name, vectors, batch) for name in self.item.categorical}
        found = self._scaled(self.item(places, self._numbers(spec.item, batch)))
        return found.reshape(size, spec.slots, spec.dim)

    def __call__(self, vectors: Vectors, batch: Batch) -> Float[Array, " batch"]:
        """The score of each example's first item."""
        return jnp.sum(self.users(vectors, batch) * self.items(vectors, batch)[:, 0], axis=-1)

    def loss(self, vectors: Vectors, batch: Batch, context: Context) -> Float[Array, ""]:
        """The loss of a batch."""
        return self.compare(self.encode(vectors, batch, context), batch)

    def encode(self, vectors: Vectors, batch: Batch, context: Context) -> Encoded:
        """The vectors of each example by itself."""
        return Encoded(self.users(vectors, batch), self.items(vectors, batch))

    def compare(self, encoded: Encoded, batch: Batch) -> Float[Array, ""]:
        """The loss of a batch from the vectors of its examples."""
        asked, candidates = self._asked(encoded, batch), self._candidates(encoded, batch)
        return self.spec.loss(self._scored(asked, candidates))

    def compare_in_chunks(
        self, encoded: Encoded, batch: Batch, *, chunk: int
    ) -> tuple[Float[Array, ""], Encoded]:
        """The same loss, a mean over targets, and its gradient on those vectors, some users after
        the others: so many that their scores are no more than those of a chunk with itself.
        """
        spec, count = self.spec, len(encoded.user)
        asked, candidates = self._asked(encoded, batch), self._candidates(encoded, batch)
        most = max(1, chunk * chunk // len(candidates.key))
        size = next(n for n in range(min(most, count), 0, -1) if count % n == 0)
        whole = jnp.sum(jnp.where(asked.is_target, asked.weight[:, None], 0.0))
        first = 0 if spec.in_batch else spec.targets

        def loss_of(own: Asked, candidates: Candidates) -> Float[Array, ""]:
            weight = jnp.sum(jnp.where(own.is_target, own.weight[:, None], 0.0))
            return (
                self.spec.loss(self._scored(own, candidates)) * weight / jnp.maximum(whole, 1e-30)
            )

        def block(number: Int32[Array, ""], carry: tuple) -> tuple:
            loss, of_user, of_items = carry
            own = jax.tree.map(
                lambda a: jax.lax.dynamic_slice_in_dim(a, number * size, size), asked
            )

            def of(user: Array, target: Array, vector: Array) -> Float[Array, ""]:
                return loss_of(
                    dataclasses.replace(own, user=user, target=target),
                    dataclasses.replace(candidates, vector=vector),
                )

            more, (d_user, d_target, d_vector) = jax.value_and_grad(of, argnums=(0, 1, 2))(
                own.user, own.target, candidates.vector
            )
            ours = d_vector[: count * (spec.slots - first)].reshape(count, -1, spec.dim)
            of_items = of_items.at[:, first:].add(ours)
            at = (number * size, 0, 0)
            here = jax.lax.dynamic_slice(of_items, at, d_target.shape)
            of_items = jax.lax.dynamic_update_slice(of_items, here + d_target, at)
            of_user = jax.lax.dynamic_update_slice(of_user, d_user, at[:2])
            return loss + more, of_user, of_items

        known = encoded.items[0, 0, 0] + encoded.user[0, 0]
        start = (jnp.float32(0), *(zeros_after(known, array.shape) for array in encoded))
        loss, of_user, of_items = jax.lax.fori_loop(0, count // size, block, start)
        return loss, Encoded(of_user, of_items)

    def remember(self, encoded: Encoded, batch: Batch, is_good: Bool[Array, ""]) -> None:
        """Keeps the candidates of a step for those after it, unless it was left out."""
        if self.memory is not None:
            self.memory.add(self._own_candidates(encoded, batch), is_good)

    def scores(self, vectors: Vectors, batch: Batch) -> Scores:
        """Every user of a batch against its targets and against all candidates."""
        encoded = Encoded(self.users(vectors, batch), self.items(vectors, batch))
        return self._scored(self._asked(encoded, batch), self._candidates(encoded, batch))

    def _asked(self, encoded: Encoded, batch: Batch) -> Asked:
        """What each user chose and what it is known to have met."""
        spec = self.spec
        key, valid = self._ids(spec.item.features[0], batch)
        known = [(key[:, : spec.targets], valid[:, : spec.targets])]
        known += [self._ids(name, batch) for name in spec.known]
        keys, valids = (jnp.concatenate(part, axis=1) for part in zip(*known, strict=True))
        return Asked(
            user=encoded.user,
            target=encoded.items[:, : spec.targets],
            is_target=valid[:, : spec.targets],
            known=keys,
            is_known=valids,
            weight=jnp.asarray(batch.weight),
        )

    def _candidates(self, encoded: Encoded, batch: Batch) -> Candidates:
        """Those of the batch, and those that are remembered."""
        own = self._own_candidates(encoded, batch)
        return own if self.memory is None else self.memory.behind(own)

    def _own_candidates(self, encoded: Encoded, batch: Batch) -> Candidates:
        spec = self.spec
        key, valid = self._ids(spec.item.features[0], batch)
        first = 0 if spec.in_batch else spec.targets  # slots before it are no candidates
        count = jnp.zeros(key.shape, jnp.float32)
        if spec.is_counted:
            count = jnp.asarray(batch.numbers)[:, -spec.slots :]
        return Candidates(
            vector=encoded.items[:, first:].reshape(-1, spec.dim),
            key=key[:, first:].reshape(-1),
            is_there=valid[:, first:].reshape(-1),
            log_count=count[:, first:].reshape(-1),
        )

    def _scored(self, asked: Asked, candidates: Candidates) -> Scores:
        met = own(candidates.key, asked.known, asked.is_known)
        target = jnp.einsum("bd,btd->bt", asked.user, asked.target)
        return Scores(
            target=target / self.spec.temperature,
            is_target=asked.is_target,
            candidate=asked.user @ candidates.vector.T / self.spec.temperature,
            is_negative=candidates.is_there[None, :] & ~met,
            log_count=candidates.log_count,
            weight=asked.weight,
        )

    def _scaled(self, vector: Float[Array, "n dim"]) -> Float[Array, "n dim"]:
        return unit(vector) if self.spec.cosine else vector

    def _places(self, name: str, vectors: Vectors, batch: Batch) -> Places:
        """A feature of the user, projected; padding is zero."""
        feature = self.spec.feature(name)
        valid = jnp.asarray(batch.valid)[:, self.embed.schema.span(name)]
        return Places(self.project(feature.key_space, vectors.places(name)), valid)

    def _slots(self, name: str, vectors: Vectors, batch: Batch) -> Places:
        """A feature of the items, slot by slot."""
        found = self._places(name, vectors, batch)
        length = self.spec.feature(name).length
        return Places(
            found.vectors.reshape(-1, length, found.vectors.shape[-1]),
            found.valid.reshape(-1, length),
        )

    def _numbers(self, tower: Tower, batch: Batch) -> Float[Array, "batch numbers"]:
        names = [feature.name for feature in self.spec.schema.numeric]
        at = [names.index(name) for name in tower.features if name in names]
        return (
            jnp.stack([jnp.asarray(batch.numbers)[:, place] for place in at], axis=1)
            if at
            else (jnp.zeros((batch.label.shape[0], 0), jnp.float32))
        )

    def _ids(
        self, name: str, batch: Batch
    ) -> tuple[UInt32[Array, "batch length"], Bool[Array, "batch length"]]:
        """What tells items apart, in 32 bits: exact for a vocabulary; two hashed values look alike
        once in 2^32.
        """
        span = self.embed.schema.span(name)
        high, low = (jnp.asarray(word)[:, span] for word in (batch.high, batch.low))
        return low ^ (high * jnp.uint32(0x9E3779B1)), jnp.asarray(batch.valid)[:, span]
