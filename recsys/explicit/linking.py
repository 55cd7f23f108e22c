"""Skills that a text speaks of, by its words: before anything is trained, and as an input to it.

A skill is like a text in so far as their words are, weighted by rarity: words of its own name and
description, and words of documents that are known to have it (Rocchio's centroid, 1971). That is
explicit semantic analysis (Gabrilovich and Markovitch, IJCAI 2007) with the inventory for an
encyclopaedia, and a little supervision. The skills most like a text are taken for stated by it.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
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
from recsys.explicit.documents import Documents
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
        found = WORD.findall(text[:LONGEST].casefold())
        return self._stemmer.stemWords([word for word in found if word not in ENGLISH_STOP_WORDS])


@dataclasses.dataclass(frozen=True, eq=False)
class Linker:
    """Links texts to skills; `learn` makes one."""

    vectorizer: TfidfVectorizer
    skills: csr_array  # [terms, skills]: how much each term counts for a skill
    rarity: Float32[np.ndarray, " skills"]  # the log of how seldom a text is linked to it
    most: int  # skills of a text
    sharpness: float  # power of a likeness: the larger, the more the best count

    @classmethod
    def learn(
        cls,
        inventory: Inventory,
        documents: Sequence[Documents],
        *,
        most: int = 64,
        examples: float = 0.5,
        sharpness: float = 2.0,
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
        count = len(inventory)
        plain = cls(vectorizer, terms, np.ones(count, np.float32), min(most, count), sharpness)
        linked = np.zeros(count)
        for _, places, values in plain.strongest(texts):
            linked += np.bincount(places[values > 0], minlength=count)
        share = linked / max(1, len(texts))
        rarity = np.log((1 + SMOOTHING) / (share + SMOOTHING)).astype(np.float32)
        return dataclasses.replace(plain, rarity=rarity)

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

    def linked(self, documents: Documents, *, gain: float = 1.0) -> Documents:
        """Documents that state what they are linked to as well; what was stated counts as 1.

        Args:
            gain: of the links, which have length 1 a document.
        """
        given: Any = self.link(documents.texts) * np.float32(gain)
        return dataclasses.replace(documents, given=csr_array(given.maximum(documents.given)))

    def save(self, path: Path) -> None:
        """Writes a folder, which is made: words, and arrays without pickles."""
        path.mkdir(parents=True)
        terms = [str(term) for term in self.vectorizer.get_feature_names_out()]
        told = {"terms": terms, "most": self.most, "sharpness": self.sharpness}
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
        return cls(vectorizer, skills, rarity, told["most"], told["sharpness"])

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
