"""Skills that a text speaks of, by its words: before anything is trained, and as an input to it.

A skill is like a text in so far as their words are, weighted by rarity: words of its own name and
description, and words of documents that are known to have it (Rocchio's centroid, 1971). That is
explicit semantic analysis (Gabrilovich and Markovitch, IJCAI 2007) with the inventory for an
encyclopaedia, and a little supervision. The skills most like a text are taken for stated by it.

Skills keep what a text is about and lose the odd word that only two texts share. So the words
themselves are dimensions too, beside the skills and named as words: TF-IDF of stems (Salton and
Buckley, Information Processing and Management, 1988). A score is then the sum over both.
"""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize
from Stemmer import Stemmer

from recsys.data.interactions import size
from recsys.durable import save_whole
from recsys.explicit.documents import Documents, largest
from recsys.explicit.inventory import Inventory

WORD = re.compile(r"[^\W_][\w+#]*")
BLOCK = 256  # documents that are compared with all skills at a time
LONGEST = 100_000  # characters of a text that are read
TERMS, RARITY, WEIGHTS = "terms.json", "rarity.npz", "weights.npz"  # files of a saved linker
SMOOTHING = 1e-3  # of the share of texts that a skill is linked to


class Stems:
    """English words of a text without their endings, and without those that say nothing."""

    def __init__(self):
        self._stemmer = Stemmer("english")

    def __call__(self, text: str) -> list[str]:
        return self._stemmer.stemWords(_words(text))

    def forms(self, texts: Iterable[str]) -> dict[str, str]:
        """The form that each stem has most often; of equal ones, the first that was met."""
        counts = Counter(word for text in texts for word in _words(text))
        found = [word for word, _ in counts.most_common()]
        told: dict[str, str] = {}
        for stem, word in zip(self._stemmer.stemWords(found), found, strict=True):
            told.setdefault(stem, word)
        return told


@dataclasses.dataclass(frozen=True, eq=False)
class Linker:
    """Links texts to skills, and says what their words count; `learn` makes one."""

    vectorizer: TfidfVectorizer
    forms: tuple[str, ...]  # what each term is called: its commonest form
    skills: csr_array  # [terms, skills]: how much each term counts for a skill
    rarity: Float32[np.ndarray, " skills"]  # the log of how seldom a text is linked to it
    most: int  # skills of a text
    most_words: int  # words of a text
    sharpness: float  # power of a likeness: the larger, the more the best count

    @classmethod
    def learn(
        cls,
        inventory: Inventory,
        documents: Sequence[Documents],
        *,
        most: int = 64,
        most_words: int = 64,
        examples: float = 2.0,
        sharpness: float = 1.5,
    ) -> "Linker":
        """From the texts of skills, and from documents that are known to have them.

        Args:
            examples: how much documents count beside a skill's own words; 0: not at all.
        """
        texts = [text for part in documents for text in part.texts]
        vectorizer = _vectorizer()
        vectorizer.fit([*texts, *inventory.texts])
        told: Any = csr_array(vectorizer.transform(inventory.texts))
        if examples > 0:
            known: Any = sparse.vstack([part.known for part in documents], format="csr")
            words: Any = csr_array(vectorizer.transform(texts))
            by_skill = normalize(csr_array(known.T), norm="l1")
            told = told + examples * csr_array(normalize(by_skill @ words))
        terms = csr_array(csr_array(normalize(csr_array(told))).T)
        spoken = Stems().forms([*texts, *inventory.texts])
        plain = cls(
            vectorizer=vectorizer,
            forms=tuple(spoken[str(term)] for term in vectorizer.get_feature_names_out()),
            skills=terms,
            rarity=np.ones(len(inventory), np.float32),
            most=min(most, len(inventory)),
            most_words=most_words,
            sharpness=sharpness,
        )
        return dataclasses.replace(plain, rarity=plain.rarity_in(texts))

    @property
    def names(self) -> tuple[str, ...]:
        """Of words, where they stand beside skills."""
        return tuple(f"the word {form!r}" for form in self.forms)

    def link(self, texts: Sequence[str]) -> csr_array:
        """[texts, skills] amounts, of length 1 each; nothing for a text without a known word."""
        rows, columns, amounts = [], [], []
        for start, places, values in self.strongest(texts):
            row = np.repeat(np.arange(start, start + len(places)), places.shape[1])
            there = values.ravel() > 0
            rows.append(row[there])
            columns.append(places.ravel()[there])
            amounts.append(values.ravel()[there])
        shape = (len(texts), size(self.skills)[1])
        if not rows:
            return csr_array(shape, dtype=np.float32)
        places = (np.concatenate(rows), np.concatenate(columns))
        found = csr_array((np.concatenate(amounts), places), shape=shape, dtype=np.float32)
        return csr_array(normalize(found), dtype=np.float32)

    def words(self, texts: Sequence[str]) -> csr_array:
        """[texts, words] TF-IDF weights of the words that count most, of length 1 each."""
        if not texts:
            return csr_array((0, len(self.forms)), dtype=np.float32)
        found = largest(csr_array(self.vectorizer.transform(texts)), self.most_words)
        return csr_array(normalize(found), dtype=np.float32)

    def linked(self, documents: Documents, *, gain: float = 1.0) -> Documents:
        """Documents that state what they are linked to as well, what was stated counts as 1; and
        what their words count.

        Args:
            gain: of the links, which have length 1 a document.
        """
        given: Any = self.link(documents.texts) * np.float32(gain)
        given = csr_array(given.maximum(documents.given))
        return dataclasses.replace(documents, given=given, words=self.words(documents.texts))

    def vectors(self, documents: Documents, *, gain: float = 1.0, share: float = 0.6) -> csr_array:
        """[documents, skills and words]: the space of links by itself, nothing trained. A score is
        (1 - share) times the cosine of skills and share times that of words.

        Args:
            gain: of the links, beside stated skills.
        """
        told = self.linked(documents, gain=gain)
        skills: Any = normalize(largest(told.given, self.most))
        if share == 0:
            return csr_array(skills)
        both = [skills * np.sqrt(1 - share), told.words * np.sqrt(share)]
        return csr_array(sparse.hstack(both, format="csr"), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Writes a folder, which is made: words, and arrays without pickles."""
        path.mkdir(parents=True)
        terms = [str(term) for term in self.vectorizer.get_feature_names_out()]
        told = {"terms": terms, "forms": self.forms, "sharpness": self.sharpness}
        told |= {"most": self.most, "most_words": self.most_words}
        (path / TERMS).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
        save_whole(path / RARITY, {"idf": self.vectorizer.idf_, "rarity": self.rarity})
        sparse.save_npz(path / WEIGHTS, self.skills)

    @classmethod
    def open(cls, path: Path) -> "Linker":
        """The inverse of `save`."""
        told = json.loads((path / TERMS).read_text(encoding="utf-8"))
        with np.load(path / RARITY) as arrays:
            idf, rarity = arrays["idf"], arrays["rarity"]
        vectorizer = _vectorizer(told["terms"])
        vectorizer.idf_ = idf
        skills = csr_array(sparse.load_npz(path / WEIGHTS))
        return cls(
            vectorizer=vectorizer,
            forms=tuple(told["forms"]),
            skills=skills,
            rarity=rarity,
            most=told["most"],
            most_words=told["most_words"],
            sharpness=told["sharpness"],
        )

    def rarity_in(self, texts: Sequence[str]) -> Float32[np.ndarray, " skills"]:
        """The log of how seldom texts are linked to each skill."""
        count = size(self.skills)[1]
        linked = np.zeros(count)
        for _, places, values in self.strongest(texts):
            linked += np.bincount(places[values > 0], minlength=count)
        share = linked / max(1, len(texts))
        return np.log((1 + SMOOTHING) / (share + SMOOTHING)).astype(np.float32)

    def strongest(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[int, Int[np.ndarray, "block most"], Float32[np.ndarray, "block most"]]]:
        """Block by block where it starts, the skills most like each text, and how much."""
        words: Any = csr_array(self.vectorizer.transform(texts)) if texts else None
        for start in range(0, len(texts), BLOCK):
            alike = (words[start : start + BLOCK] @ self.skills).toarray()
            alike = alike**self.sharpness * self.rarity
            places = np.argpartition(-alike, self.most - 1, axis=1)[:, : self.most]
            yield start, places, np.take_along_axis(alike, places, axis=1)


def _vectorizer(terms: list[str] | None = None) -> TfidfVectorizer:
    chosen: Any = {"analyzer": Stems(), "dtype": np.float32}  # which its types do not allow
    return TfidfVectorizer(sublinear_tf=True, vocabulary=terms, **chosen)


def _words(text: str) -> list[str]:
    """Words that say something, as far as a text is read."""
    found = WORD.findall(text[:LONGEST].casefold())
    return [word for word in found if word not in ENGLISH_STOP_WORDS]
