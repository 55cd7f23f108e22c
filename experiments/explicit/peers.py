"""What explicit spaces are measured beside: words and stated skills, without training.

All see what ours sees. Where documents state skills, words get the names of those skills as further
lines. Settings are chosen on validation among `GRIDS`. IDF is that of the candidates and of the
training texts.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable
from typing import Any

import bm25s
import numpy as np
import Stemmer
from jaxtyping import Float
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.preprocessing import normalize

from recsys.explicit import Documents, Inventory, Relevance
from recsys.features.links import Stems

logging.getLogger("bm25s").setLevel(logging.WARNING)
Scores = Float[np.ndarray, "profiles jobs"]
ACTIVE = 64  # concepts of an ESA vector, as many as ours


@dataclasses.dataclass(frozen=True)
class BM25:
    """Okapi BM25 of Robertson et al. (TREC-3, 1994), over stemmed words, by `bm25s`."""

    k1: float = 1.5
    b: float = 0.75

    def __call__(self, task: Relevance, *, train: Relevance, inventory: Inventory) -> Scores:
        """A score for each pair."""
        jobs, profiles = (_stems(words(d, inventory)) for d in (task.jobs, task.profiles))
        index = bm25s.BM25(k1=self.k1, b=self.b)
        index.index(jobs, show_progress=False)
        known = set(index.vocab_dict)
        return np.stack(
            [index.get_scores([word for word in query if word in known]) for query in profiles]
        ).astype(np.float64)


@dataclasses.dataclass(frozen=True)
class TFIDF:
    """Cosine of TF-IDF vectors of words, of their stems, or of character n-grams within them."""

    analyzer: str = "word"  # word, stem, char_wb
    longest: int = 1  # words or characters of an n-gram; stems come one by one

    def __call__(self, task: Relevance, *, train: Relevance, inventory: Inventory) -> Scores:
        """A score for each pair."""
        profiles, jobs = words(task.profiles, inventory), words(task.jobs, inventory)
        shortest = 3 if self.analyzer == "char_wb" else 1
        made: Any = TfidfVectorizer
        vectorizer = made(
            analyzer=Stems() if self.analyzer == "stem" else self.analyzer,
            ngram_range=(shortest, self.longest),
            sublinear_tf=True,
            stop_words="english" if self.analyzer == "word" else None,
        )
        vectorizer.fit([*words(train.profiles, inventory), *words(train.jobs, inventory), *jobs])
        return (vectorizer.transform(profiles) @ vectorizer.transform(jobs).T).toarray()


@dataclasses.dataclass(frozen=True)
class SkillsOnly:
    """Cosine of the skills that both state, weighted by rarity or as they are."""

    is_weighted: bool = True

    def __call__(self, task: Relevance, *, train: Relevance, inventory: Inventory) -> Scores:
        """A score for each pair."""
        given = [task.profiles.given, task.jobs.given]
        if self.is_weighted:
            idf: Any = TfidfTransformer().fit(sparse.vstack([train.jobs.given, *given]))
            given = [idf.transform(rows) for rows in given]
        stated: list[Any] = [normalize(csr_array(rows)) for rows in given]
        profiles, jobs = stated
        return (profiles @ jobs.T).toarray()


@dataclasses.dataclass(frozen=True)
class ESA:
    """Explicit semantic analysis: concepts whose texts are like a document's, and their cosine.

    Gabrilovich and Markovitch, IJCAI 2007, with the texts of the inventory in place of Wikipedia's.
    """

    active: int = ACTIVE

    def __call__(self, task: Relevance, *, train: Relevance, inventory: Inventory) -> Scores:
        """A score for each pair."""
        found: list[Any] = [
            normalize(self.vectors(words(d, inventory), inventory))
            for d in (task.profiles, task.jobs)
        ]
        profiles, jobs = found
        return (profiles @ jobs.T).toarray()

    def vectors(self, texts: tuple[str, ...], inventory: Inventory) -> csr_array:
        """The most alike concepts of each text, by cosine."""
        vectorizer, concepts = concept_texts(inventory)
        return strongest((vectorizer.transform(texts) @ concepts.T).toarray(), self.active)


@dataclasses.dataclass(frozen=True)
class LSA:
    """Latent semantic analysis of the same stems (Deerwester et al., JASIS 1990): the strongest
    latent space here, as training from a random start has too little to learn from.
    """

    dim: int = 512

    def __call__(self, task: Relevance, *, train: Relevance, inventory: Inventory) -> Scores:
        """A score for each pair."""
        made: Any = TfidfVectorizer
        vectorizer = made(analyzer=Stems(), sublinear_tf=True)
        texts = [*words(train.profiles, inventory), *words(train.jobs, inventory), *inventory.texts]
        counted: Any = vectorizer.fit_transform(texts)
        dims = TruncatedSVD(min(self.dim, *(side - 1 for side in counted.shape)), random_state=0)
        dims.fit(counted)
        found: list[Any] = [
            normalize(dims.transform(vectorizer.transform(words(d, inventory))))
            for d in (task.profiles, task.jobs)
        ]
        profiles, jobs = found
        return profiles @ jobs.T


Peer = BM25 | TFIDF | SkillsOnly | ESA | LSA
GRIDS: dict[str, tuple[Peer, ...]] = {
    "bm25": tuple(BM25(k1, b) for k1 in (0.9, 1.5, 3.0) for b in (0.4, 0.75, 1.0)),
    "tfidf": (
        TFIDF("word", 1),
        TFIDF("word", 2),
        TFIDF("stem"),
        TFIDF("char_wb", 5),
    ),
    "skills_only": (SkillsOnly(), SkillsOnly(is_weighted=False)),
    "esa": (ESA(), ESA(active=256)),
    "lsa": (LSA(128), LSA(512)),
}


def choose(
    grid: tuple[Peer, ...],
    valid: Relevance,
    *,
    train: Relevance,
    inventory: Inventory,
    measure: Callable[[Scores, csr_array], float],
) -> Peer:
    """The setting that does best on validation."""

    def worth(peer: Peer) -> float:
        return measure(peer(valid, train=train, inventory=inventory), valid.grades)

    return max(grid, key=worth)


def words(documents: Documents, inventory: Inventory) -> tuple[str, ...]:
    """Texts, each with the names of the skills it states."""
    given = documents.given
    return tuple(
        "\n".join([text, *(inventory.names[n] for n in given.indices[start:stop].tolist())])
        for text, start, stop in zip(
            documents.texts, given.indptr[:-1], given.indptr[1:], strict=True
        )
    )


@functools.lru_cache(maxsize=2)
def concept_texts(inventory: Inventory) -> tuple[Any, csr_array]:
    """The TF-IDF of an inventory's texts, and what makes it."""
    vectorizer: Any = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    return vectorizer, csr_array(vectorizer.fit_transform(inventory.texts))


def strongest(rows: Float[np.ndarray, "rows width"], count: int) -> csr_array:
    """The largest entries of each row, and no others."""
    count = min(count, rows.shape[1])
    best = np.argpartition(-rows, count - 1, axis=1)[:, :count]
    kept = np.take_along_axis(rows, best, axis=1)
    starts = np.arange(0, best.size + 1, count)
    found = csr_array((kept.ravel(), best.ravel(), starts), shape=rows.shape)
    found.eliminate_zeros()
    return found


def _stems(texts: tuple[str, ...]) -> list[list[str]]:
    stemmer = Stemmer.Stemmer("english")
    return bm25s.tokenize(
        [*texts], stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
    )  # pyright: ignore[reportReturnType]: lists, where ids are not asked for
