"""Learning what texts speak of: before anything is trained, and as an input to it.

A skill is like a text in so far as their words are: words of its own name and description, and
words of documents that are known to have it (Rocchio's centroid, 1971). That is explicit semantic
analysis (Gabrilovich and Markovitch, IJCAI 2007) with the inventory for an encyclopaedia, and a
little supervision. The skills most like a text are taken for stated by it.

Skills keep what a text is about and lose the odd word that only two texts share. So the words
themselves are dimensions too, beside the skills and named as words. A score is then the sum over
both.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from recsys.explicit.documents import Documents
from recsys.explicit.inventory import Inventory
from recsys.features.links import Links, Stems, largest, vectorizer_of

COMMONEST = 1e-2  # the least that a link counts by its rarity: one to all texts is still a link
SMOOTHING = 1e-3  # of the share of texts that a skill is linked to


@dataclasses.dataclass(frozen=True, eq=False)
class Linker(Links):
    """Links texts to skills, and says what their words count; `learn` makes one."""

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
            most: skills that a text is linked to.
            most_words: words of a text that count.
            examples: how much documents count beside a skill's own words; 0: not at all.
        """
        texts = [text for part in documents for text in part.texts]
        vectorizer = vectorizer_of()
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

    def linked(self, documents: Documents, *, gain: float = 1.0) -> Documents:
        """Documents that state what they are linked to as well, what was stated counts as 1; and
        what their words count.

        Args:
            gain: of the links, which have length 1 a document.
        """
        linked, words = self.read(documents.texts)
        given: Any = linked * np.float32(gain)
        given = csr_array(given.maximum(documents.given))
        return dataclasses.replace(documents, given=given, words=words)

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

    def rarity_in(self, texts: Sequence[str]) -> Float32[np.ndarray, " skills"]:
        """The log of how seldom texts are linked to each skill."""
        count = len(self.rarity)
        linked = np.zeros(count)
        for _, places, values in self.strongest(self.counted(texts)):
            linked += np.bincount(places[values > 0], minlength=count)
        share = linked / max(1, len(texts))
        rarity = np.log((1 + SMOOTHING) / (share + SMOOTHING))
        return np.maximum(rarity, COMMONEST).astype(np.float32)
