"""Settings of an explicit space, and the specs of the model and its training that they become."""

import dataclasses

import numpy as np

from recsys.data.interactions import size
from recsys.embedding import Unified
from recsys.explicit.documents import Documents, Relevance
from recsys.explicit.inventory import Inventory
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
    Softmax,
)
from recsys.models.explicit import SKILLS, TEXT, Explicit, Head
from recsys.optim import Adam, LazyAdam, RowTraining
from recsys.optim.schedules import Cosine
from recsys.spec import spec
from recsys.tables import Hash
from recsys.tables.method import Method
from recsys.towers.text import Bag, TextTower
from recsys.training.recipe import Recipe

MOST_STATED = 256  # skills that a document may state
MOST_WORDS = 4096


@spec
@dataclasses.dataclass(frozen=True)
class SpaceSettings:
    """An explicit space, or with head="latent" its twin without names, and how it learns."""

    head: Head = "explicit"  # latent: the same encoder, entries without names
    encoder: TextTower = Bag()
    ngrams: Ngrams = Ngrams()
    words: int = 128  # of a text; what is behind them is not read
    table: Method = Hash(rows=131_072)
    width: int = 128  # of a word's vector, over its lookups
    lookups: int = 2  # rows that an n-gram reads
    active: int = 64  # most skills of a document
    dim: int | None = None  # of a latent vector; by default its bytes are those of `active` skills
    is_shared: bool = True  # both sides have one encoder and one head
    cosine: bool = True  # of vectors of length 1; False: their dot product
    temperature: float = 0.07  # training divides scores by it
    loss: Softmax | CosineContrastive | BPR | GBCE | Hinge = Softmax()  # of relevance
    known_loss: KnownSoftmax | PositiveUnlabelled = KnownSoftmax()  # of known skills
    known_weight: float = 0.3  # of that loss, beside relevance; 0: known skills are not looked at
    skill_texts: float = 0.5  # texts of skills in a batch, each known to have its skill, a pair
    names_first: bool = True  # skills start as the vectors of their texts; False: at random
    rare_first: bool = True  # n-grams start weighted by how rare they are; False: alike
    batch: int = 128  # pairs a step
    epochs: int = 20  # at most
    patience: int = 4  # epochs without a better nDCG@10 on validation after which training stops
    rate: float = 2e-3  # learning rate of rows
    dense_rate: float = 2e-3  # of everything else
    clip_norm: float = 5.0  # bound of the norm of all gradients
    terms: int = 65_536  # hashed weights of n-grams
    link_gain: float = 10.0  # of what a linker says, where a space has one: the scale of logits
    bias: float = 0.0  # of a skill at the start; below 0, only what words say clearly counts
    active_words: int = 64  # most words of a document that stand for themselves
    word_share: float = 0.6  # of a score that words have, where a linker counts them; 0: none

    def __post_init__(self):
        counts = (self.width, self.lookups, self.batch, self.epochs, self.patience)
        if min(counts) < 1 or not 1 <= self.words <= MOST_WORDS or self.skill_texts < 0:
            raise ValueError(
                "SpaceSettings want width, lookups, batch, epochs and patience of at least 1, "
                f"words from 1 to {MOST_WORDS:,} and skill_texts of at least 0, got "
                f"{', '.join(map(str, counts))}, words={self.words} and "
                f"skill_texts={self.skill_texts}."
            )
        if self.width % self.lookups:
            raise ValueError(
                f"A width of {self.width} is dealt out to lookups evenly, got "
                f"lookups={self.lookups}: use a number that divides it."
            )

    @property
    def texts_of_skills(self) -> int:
        """In a batch; a latent space has no use for them."""
        is_used = self.head == "explicit" and self.known_weight > 0
        return round(self.skill_texts * self.batch) if is_used else 0


def model_of(settings: SpaceSettings, inventory: Inventory, train: Relevance) -> Explicit:
    """The spec of the model for some data.

    Raises:
        ValueError: the data are over another inventory.
    """
    for documents in (train.profiles, train.jobs):
        if documents.skills != len(inventory):
            raise ValueError(
                f"Documents want skills of the inventory, {len(inventory):,}, got "
                f"{documents.skills:,}: number them by it."
            )
    has_words = settings.head == "explicit" and settings.word_share > 0
    if has_words and words_of(train.profiles) != words_of(train.jobs):
        raise ValueError(
            f"Profiles and jobs want words of one linker, got {words_of(train.profiles):,} and "
            f"{words_of(train.jobs):,}: have both linked by it."
        )
    most = max(_most(train.profiles), _most(train.jobs), settings.active)
    stated = min(most, MOST_STATED, len(inventory))
    return Explicit(
        schema=document_schema(settings, len(inventory), stated=stated),
        layout=Unified(settings.table, settings.width // settings.lookups),
        encoder=settings.encoder,
        skills=len(inventory),
        head=settings.head,
        active=settings.active,
        dim=settings.dim or min(2 * settings.active, settings.width),
        is_shared=settings.is_shared,
        cosine=settings.cosine,
        temperature=settings.temperature,
        loss=settings.loss,
        known_loss=settings.known_loss,
        known_weight=settings.known_weight,
        terms=settings.terms,
        bias=settings.bias,
        words=words_of(train.profiles) if has_words else 0,
        spoken=settings.active_words,
        share=settings.word_share,
    )


def document_schema(settings: SpaceSettings, skills: int, *, stated: int) -> Schema:
    """What is read of a document: its text, and so many stated skills at most."""
    length = settings.words * settings.ngrams.places
    text = Feature(
        TEXT, kind="text", length=length, lookups=settings.lookups, ngrams=settings.ngrams
    )
    bag = Feature(SKILLS, kind="bag", length=stated, lookups=settings.lookups, values=skills)
    return Schema((text, bag), label=None)


def recipe_of(settings: SpaceSettings, *, steps: int, seed: int) -> Recipe:
    """How it learns in so many steps."""
    return Recipe(
        rows=RowTraining(LazyAdam(settings.rate)),
        dense=Adam(settings.dense_rate),
        clip_norm=settings.clip_norm,
        schedule=Cosine(steps),
        warmup=max(1, steps // 20),
        seed=seed,
    )


def words_of(documents: Documents) -> int:
    """How many words a linker counts; 0 where none has read them."""
    return 0 if documents.words is None else size(documents.words)[1]


def _most(documents: Documents) -> int:
    """The most skills that a document states."""
    return int(np.diff(documents.given.indptr).max(initial=0)) if size(documents.given)[0] else 0
