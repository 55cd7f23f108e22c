"""Skills and words that a text speaks of, by its words, as `Linker.learn` learned from documents.

A skill is like a text in so far as their words are, weighted by rarity: TF-IDF of stems (Salton and
Buckley, Information Processing and Management, 1988). The skills most like a text are taken for
stated by it; the words themselves count as well.
"""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float32, Int, Int32
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer
from sklearn.preprocessing import normalize
from Stemmer import Stemmer

from recsys.durable import save_whole

WORD = re.compile(r"[^\W_][\w+#]*")
BLOCK = 256  # documents that are compared with all skills at a time
Own = TypeVar("Own", bound="Links")
LONGEST = 100_000  # characters of a text that are read
TERMS, RARITY, WEIGHTS = "terms.json", "rarity.npz", "weights.npz"  # files of saved links


@dataclasses.dataclass(frozen=True, eq=False)
class Rectangle:
    """Rows of skills, or of words, as so many entries each; the highest grades are kept."""

    numbers: Int32[np.ndarray, "rows most"]
    grades: Float32[np.ndarray, "rows most"]  # 0 is padding


class Stems:
    """English words of a text without their endings, and without those that say nothing."""

    def __init__(self):
        self._stemmer = Stemmer("english")

    def __call__(self, text: str) -> list[str]:
        return self._stemmer.stemWords(_said(text))

    def forms(self, texts: Iterable[str]) -> dict[str, str]:
        """The form that each stem has most often; of equal ones, the first that was met."""
        counts = Counter(word for text in texts for word in _said(text))
        found = [word for word, _ in counts.most_common()]
        told: dict[str, str] = {}
        for stem, word in zip(self._stemmer.stemWords(found), found, strict=True):
            told.setdefault(stem, word)
        return told


@dataclasses.dataclass(frozen=True, eq=False)
class Links:
    """What texts are linked to: skills by number, words by number."""

    vectorizer: TfidfVectorizer
    forms: tuple[str, ...]  # what each term is called: its commonest form
    skills: csr_array  # [terms, skills]: how much each term counts for a skill
    rarity: Float32[np.ndarray, " skills"]  # the log of how seldom a text is linked to it
    most: int  # skills of a text
    most_words: int  # words of a text
    sharpness: float  # power of a likeness: the larger, the more the best count

    @property
    def names(self) -> tuple[str, ...]:
        """Of words, where they stand beside skills."""
        return tuple(f"the word {form!r}" for form in self.forms)

    def read(self, texts: Sequence[str]) -> tuple[csr_array, csr_array]:
        """[texts, skills] that they are linked to and [texts, words] that count, of length 1 each;
        nothing for a text without a known word.
        """
        counted = self.counted(texts)
        return self._linked(counted), self._words(counted)

    def link(self, texts: Sequence[str]) -> csr_array:
        """The skills of `read` alone."""
        return self._linked(self.counted(texts))

    def counted(self, texts: Sequence[str]) -> csr_array:
        """[texts, terms] TF-IDF weights of the words of texts."""
        if not texts:
            return csr_array((0, len(self.forms)), dtype=np.float32)
        return csr_array(self.vectorizer.transform(texts))

    def _linked(self, counted: csr_array) -> csr_array:
        rows, columns, amounts = [], [], []
        for start, places, values in self.strongest(counted):
            row = np.repeat(np.arange(start, start + len(places)), places.shape[1])
            there = values.ravel() > 0
            rows.append(row[there])
            columns.append(places.ravel()[there])
            amounts.append(values.ravel()[there])
        shape: Any = (len(counted.indptr) - 1, len(self.rarity))
        if not rows:
            return csr_array(shape, dtype=np.float32)
        places = (np.concatenate(rows), np.concatenate(columns))
        found = csr_array((np.concatenate(amounts), places), shape=shape, dtype=np.float32)
        return csr_array(normalize(found), dtype=np.float32)

    def _words(self, counted: csr_array) -> csr_array:
        found = largest(counted, self.most_words)
        return csr_array(normalize(found) if found.nnz else found, dtype=np.float32)

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
    def open(cls: type[Own], path: Path) -> Own:
        """The inverse of `save`."""
        told = json.loads((path / TERMS).read_text(encoding="utf-8"))
        with np.load(path / RARITY) as arrays:
            idf, rarity = arrays["idf"], arrays["rarity"]
        vectorizer = vectorizer_of(told["terms"])
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

    def strongest(
        self, counted: csr_array
    ) -> Iterator[tuple[int, Int[np.ndarray, "block most"], Float32[np.ndarray, "block most"]]]:
        """Block by block where it starts, the skills most like each text, and how much."""
        words: Any = counted
        for start in range(0, words.shape[0], BLOCK):
            alike = (words[start : start + BLOCK] @ self.skills).toarray()
            alike = alike**self.sharpness * self.rarity
            places = np.argpartition(-alike, self.most - 1, axis=1)[:, : self.most]
            yield start, places, np.take_along_axis(alike, places, axis=1)


def rectangle(rows: csr_array, *, most: int) -> Rectangle:
    """Rows of a matrix as so many entries each."""
    row, place, order = _ranked(rows)
    numbers = np.zeros((len(rows.indptr) - 1, most), np.int32)
    grades = numbers.astype(np.float32)
    fits = place < most
    numbers[row[fits], place[fits]] = rows.indices[order][fits]
    grades[row[fits], place[fits]] = rows.data[order][fits]
    return Rectangle(numbers, grades)


def largest(rows: csr_array, most: int) -> csr_array:
    """The largest entries of each row, so many at most."""
    row, place, order = _ranked(rows)
    kept = order[place < most]
    return csr_array((rows.data[kept], (row[place < most], rows.indices[kept])), shape=rows.shape)


def _ranked(rows: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entries, each row's largest first: their rows, their ranks there, where they stand."""
    row = np.repeat(np.arange(len(rows.indptr) - 1), np.diff(rows.indptr))
    data: Any = rows.data
    return row, np.arange(len(row)) - rows.indptr[row], np.lexsort((-data, row))


def vectorizer_of(terms: list[str] | None = None) -> TfidfVectorizer:
    """Counts stems; of these terms, or of those that it will be fitted to."""
    chosen: Any = {"analyzer": Stems(), "dtype": np.float32}  # which its types do not allow
    return TfidfVectorizer(sublinear_tf=True, vocabulary=terms, **chosen)


def _said(text: str) -> list[str]:
    """Words that say something, as far as a text is read."""
    found = WORD.findall(text[:LONGEST].casefold())
    return [word for word in found if word not in ENGLISH_STOP_WORDS]
