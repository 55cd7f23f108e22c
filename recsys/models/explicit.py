"""Texts that meet in a space of named skills, or, for comparison, in one without names.

Our reading of SESA (Bogdanova and Yazdani, ICTIR 2018), whose formulas are not public. A document
is text and, beside it, skills that it states. One encoder, or one a side, makes a vector of it, and
a head the amounts of skills (`recsys.models.heads`). Their product is the score. Where a linker has
counted words, these are entries as well, numbered behind the skills: a score is then

    (1 - share) sum over skills of w_k p_k q_k + share sum over words of v_t x_t y_t

with p, q, x and y of length 1.
"""

import dataclasses
from typing import Literal, NamedTuple

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int32

from recsys.embedding.layout import Layout
from recsys.embedding.multiplexer import Embedding, Vectors
from recsys.features.batch import Batch
from recsys.features.feature import Feature
from recsys.features.ngrams import Ngrams
from recsys.features.schema import Schema
from recsys.losses import (
    BPR,
    GBCE,
    CosineContrastive,
    Hinge,
    KnownSoftmax,
    PositiveUnlabelled,
    Scores,
    Softmax,
)
from recsys.models.heads import LatentHead, NamedHead, WordHead, spread
from recsys.models.pairs import Pairs
from recsys.spec import spec
from recsys.tables.base import Context
from recsys.towers.direction import unit
from recsys.towers.text import TermWeights, TextTower, combined

TEXT, SKILLS = "text", "skills"  # the features of a document
SIDES = ("profile", "job")
Head = Literal["explicit", "latent"]


@spec
@dataclasses.dataclass(frozen=True)
class Explicit:
    """A model of two kinds of documents, which have the same features."""

    schema: Schema  # of a document: TEXT, with n-grams, and SKILLS, a bag, if they are stated
    layout: Layout
    encoder: TextTower
    skills: int  # of the inventory
    head: Head = "explicit"
    active: int = 64  # most skills of a document
    dim: int = 128  # of a latent vector
    is_shared: bool = True  # both sides have one encoder and one head
    cosine: bool = True  # of vectors of length 1
    temperature: float = 0.07  # training divides scores by it
    loss: Softmax | CosineContrastive | BPR | GBCE | Hinge = Softmax()
    known_loss: KnownSoftmax | PositiveUnlabelled = KnownSoftmax()
    known_weight: float = 0.3  # of the loss of known skills, beside that of relevance
    terms: int = 65_536  # hashed weights of n-grams
    bias: float = 0.0  # of a skill at the start; below 0, only what words say clearly counts
    words: int = 0  # that are entries beside the skills
    spoken: int = 64  # most words of a document
    share: float = 0.6  # of a score that words have, where there are some

    def __post_init__(self):
        counts = (self.skills, self.active, self.dim, self.terms)
        if min(counts) < 1 or self.temperature <= 0 or self.known_weight < 0:
            raise ValueError(
                "Explicit wants skills, active, dim and terms of at least 1, a temperature above 0 "
                f"and a known_weight of at least 0, got {', '.join(map(str, counts))}, "
                f"{self.temperature} and {self.known_weight}."
            )
        if self.head not in ("explicit", "latent"):
            raise ValueError(f"A head is explicit or latent, got {self.head!r}: choose one.")
        if not 0 <= self.share < 1 or self.words < 0 or self.spoken < 1:
            raise ValueError(
                "Explicit wants a share of words in [0, 1), words of at least 0 and spoken of at "
                f"least 1, got {self.share}, {self.words} and {self.spoken}."
            )
        if self.head == "latent" and self.words:
            raise ValueError(
                f"A latent vector has no names, and no place for {self.words:,} words: set words=0."
            )
        features = {feature.name: feature for feature in self.schema.features}
        if TEXT not in features or features[TEXT].ngrams is None or set(features) - {TEXT, SKILLS}:
            raise ValueError(
                f"Explicit reads a feature {TEXT!r} with ngrams and a bag {SKILLS!r} or none, got "
                f"{', '.join(features)}: name them so."
            )

    @property
    def ngrams(self) -> Ngrams:
        """What is read of each word."""
        found = self.schema.features[0].ngrams
        assert found is not None
        return found

    @property
    def stated(self) -> Feature | None:
        """The feature of skills that are stated, if they are."""
        return next((f for f in self.schema.features if f.name == SKILLS), None)

    @property
    def named(self) -> int:
        """How many entries of a vector have names: skills, then words."""
        return self.skills + self.words

    def build(self, *, rngs: nnx.Rngs) -> "ExplicitModel":
        return ExplicitModel(self, rngs=rngs)


class Entries(NamedTuple):
    """The largest entries of explicit vectors; the rest is 0."""

    places: Int32[Array, "documents active"]
    values: Float[Array, "documents active"]


class ExplicitModel(nnx.Module):
    """Documents to vectors, and what a batch says of them."""

    def __init__(self, spec: Explicit, *, rngs: nnx.Rngs):
        self.spec = spec
        self.embed = Embedding(spec.schema, spec.layout, rngs=rngs)
        width = self.embed.widths[TEXT]
        sides = 1 if spec.is_shared else 2
        self.terms = TermWeights(spec.terms, spec.ngrams.places)
        self.encoders = nnx.List([spec.encoder.build(width, rngs=rngs) for _ in range(sides)])
        self.mixes = nnx.List([nnx.Param(jnp.full(1, 0.5, jnp.float32)) for _ in range(sides)])
        self.heads = nnx.List([self._head(width, rngs) for _ in range(sides)])
        self.spoken = nnx.List([WordHead(spec.words) for _ in range(sides if spec.words else 0)])

    def told(self, vectors: Vectors, batch: Batch, side: int) -> Float[Array, "documents width"]:
        """What documents say, text and stated skills together, at length 1; 0: nothing."""
        side = side % len(self.encoders)
        shape = (batch.label.shape[0], -1, self.spec.ngrams.places)
        span = self.embed.schema.span(TEXT)
        high, low, valid = (
            jnp.asarray(array)[:, span].reshape(shape)
            for array in (batch.high, batch.low, batch.valid)
        )
        places = vectors.places(TEXT)
        words = combined(
            places.reshape(*valid.shape, places.shape[-1]), self.terms(high, low), valid
        )
        found = unit(self.encoders[side](words, jnp.any(valid, axis=-1)))
        if self.spec.stated is None:
            return found
        stated = jnp.einsum("bsw,bs->bw", vectors.places(SKILLS), self._grades(batch))
        return unit(found + jnp.abs(self.mixes[side][...])[None] * unit(stated))

    def logits(self, vectors: Vectors, batch: Batch, side: int) -> Float[Array, "documents skills"]:
        """How likely each skill is."""
        return self._named(side).logits(self.told(vectors, batch, side))

    def entries(self, vectors: Vectors, batch: Batch, side: int) -> Entries:
        """The vectors of documents, by their largest entries."""
        told = self.told(vectors, batch, side)
        return self._entries(self._named(side).logits(told), told, batch, side)

    def vectors(self, vectors: Vectors, batch: Batch, side: int) -> Float[Array, "documents dim"]:
        """The vectors of documents, whole."""
        if self.spec.head == "latent":
            return self._latent(self.told(vectors, batch, side), side)
        return spread(*self.entries(vectors, batch, side), self.spec.named)

    def loss(self, vectors: Vectors, batch: Pairs, context: Context) -> Float[Array, ""]:
        """The loss of relevance and that of known skills."""
        pairs = len(batch.pair_weight)
        told = self._of_sides(vectors, batch)
        if self.spec.head == "latent":
            found = self._by_side(lambda part, side: self._latent(part, side), told, pairs)
            return self._relevance(found[:pairs], found[pairs : 2 * pairs], batch)
        logits = self._by_side(lambda part, side: self._named(side).logits(part), told, pairs)
        found = [
            spread(*self._entries(logits[at], told[at], batch.of(at), side), self.spec.named)
            for side, at in enumerate((slice(0, pairs), slice(pairs, 2 * pairs)))
        ]
        relevance = self._relevance(found[0], found[1], batch)
        return relevance + self.spec.known_weight * self._known(logits, batch)

    def _of_sides(self, vectors: Vectors, batch: Pairs) -> Float[Array, "documents width"]:
        if self.spec.is_shared:
            return self.told(vectors, batch, 0)
        pairs = len(batch.pair_weight)
        jobs = (jnp.arange(len(batch.label)) >= pairs)[:, None]
        return jnp.where(jobs, self.told(vectors, batch, 1), self.told(vectors, batch, 0))

    def _by_side(self, made, told: Float[Array, "documents width"], pairs: int) -> Array:
        """Profiles by the head of profiles, all else by that of jobs."""
        if self.spec.is_shared:
            return made(told, 0)
        return jnp.concatenate([made(told[:pairs], 0), made(told[pairs:], 1)])

    def _relevance(
        self,
        profiles: Float[Array, "pairs dim"],
        jobs: Float[Array, "pairs dim"],
        batch: Pairs,
    ) -> Float[Array, ""]:
        scores = profiles @ jobs.T / self.spec.temperature
        weight = jnp.asarray(batch.pair_weight)
        return self.spec.loss(
            Scores(
                target=jnp.diagonal(scores)[:, None],
                is_target=(weight > 0)[:, None],
                candidate=scores,
                is_negative=~jnp.asarray(batch.is_relevant),
                log_count=jnp.asarray(batch.log_count),
                weight=weight,
            )
        )

    def _known(self, logits: Float[Array, "documents skills"], batch: Pairs) -> Float[Array, ""]:
        grade = spread(jnp.asarray(batch.known), jnp.asarray(batch.grade), self.spec.skills)
        each = self.spec.known_loss(logits, grade)
        is_told = jnp.any(grade > 0, axis=1)
        return jnp.sum(each) / jnp.maximum(jnp.sum(is_told, dtype=jnp.float32), 1.0)

    def _entries(
        self,
        logits: Float[Array, "documents skills"],
        told: Float[Array, "documents width"],
        batch: Batch,
        side: int,
    ) -> Entries:
        head, given = self._named(side), None
        if self.spec.stated is not None:
            given = spread(self._stated(batch), self._grades(batch), self.spec.skills)
        places, values = head.largest(head.amounts(logits, given, told), given)
        found = Entries(places, unit(values) if self.spec.cosine else values)
        return self._with_words(found, batch, side) if self.spec.words else found

    def _with_words(self, found: Entries, batch: Batch, side: int) -> Entries:
        """Entries of skills, and behind them those of words."""
        if not isinstance(batch, Pairs):
            raise ValueError("This model reads words that a linker counts: encode what it linked.")
        own, share = jnp.asarray(batch.words), self.spec.share
        spoken = self.spoken[side % len(self.spoken)](own, jnp.asarray(batch.counts))
        return Entries(
            jnp.concatenate([found.places, own + self.spec.skills], axis=1),
            jnp.concatenate([found.values * (1 - share) ** 0.5, spoken * share**0.5], axis=1),
        )

    def _latent(self, told: Float[Array, "documents width"], side: int) -> Array:
        head = self.heads[side % len(self.heads)]
        assert isinstance(head, LatentHead)
        return unit(head(told)) if self.spec.cosine else head(told)

    def _named(self, side: int) -> NamedHead:
        head = self.heads[side % len(self.heads)]
        if not isinstance(head, NamedHead):
            raise ValueError("A latent space names no skills: fit one with head='explicit'.")
        return head

    def _head(self, width: int, rngs: nnx.Rngs) -> NamedHead | LatentHead:
        if self.spec.head == "latent":
            return LatentHead(width, self.spec.dim, rngs=rngs)
        return NamedHead(width, self.spec.skills, self.spec.active, bias=self.spec.bias, rngs=rngs)

    def _stated(self, batch: Batch) -> Int32[Array, "documents stated"]:
        """The skills that documents state, by number."""
        span = self.embed.schema.span(SKILLS)
        valid = jnp.asarray(batch.valid)[:, span]
        return jnp.where(valid, jnp.asarray(batch.low)[:, span], 0).astype(jnp.int32)

    def _grades(self, batch: Batch) -> Float[Array, "documents stated"]:
        """How much they state each: 1 where nobody says; 0 is padding."""
        valid = jnp.asarray(batch.valid)[:, self.embed.schema.span(SKILLS)]
        grade = jnp.asarray(getattr(batch, "given", jnp.ones(valid.shape, jnp.float32)))
        return jnp.where(valid, grade, 0.0)
