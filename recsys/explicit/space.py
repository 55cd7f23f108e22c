"""A fitted space: vectors of documents, scores with reasons, and a directory that holds it all."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float32
from scipy.sparse import csr_array

from recsys.checkpoint import Saver, describe, restore
from recsys.explicit import explaining
from recsys.explicit.documents import Documents
from recsys.explicit.explaining import WhatIf
from recsys.explicit.inventory import Inventory
from recsys.explicit.linking import Linker
from recsys.explicit.settings import SpaceSettings, words_of
from recsys.explicit.vectors import Programs
from recsys.models.explicit import SIDES, ExplicitModel
from recsys.models.heads import NamedHead
from recsys.spec import from_json

INVENTORY, LINKS = "inventory.json", "links"
PROFILE, JOB = 0, 1
Text = str | Documents  # of one document


@dataclasses.dataclass(frozen=True, eq=False)
class Space:
    """A model of documents over an inventory of skills.

    A text is read up to its first `settings.words` words, by a linker whole. A document that says
    nothing, neither in words nor in skills, has the zero vector and scores 0. With a linker, words
    that documents have in common are entries behind the skills (`names`): they have shares in
    scores, while lists of skills and of what is missing are of skills alone.
    """

    model: ExplicitModel
    inventory: Inventory
    settings: SpaceSettings
    epoch: int = 0  # of training, counted from 1
    history: tuple[dict[str, float], ...] = ()  # what each epoch came to
    linker: Linker | None = None  # by which documents state what their words speak of
    programs: Programs | None = None  # of the model, where they are compiled already

    def __post_init__(self):
        object.__setattr__(self, "_programs", self.programs or Programs(self.model))

    @property
    def is_explicit(self) -> bool:
        """Whether entries have names."""
        return self.settings.head == "explicit"

    @functools.cached_property
    def names(self) -> Inventory:
        """Of the entries of vectors: the skills, and the words behind them."""
        words = self.model.spec.words
        if not words:
            return self.inventory
        if self.linker is None:
            raise ValueError(
                f"This space has {words:,} words beside its skills, and no linker that names them: "
                "give the one that counted them."
            )
        return Inventory((*self.inventory.names, *self.linker.names))

    def profile_vectors(self, documents: Documents) -> Any:
        """Vectors whose products with those of jobs are the scores: a csr_array where entries have
        names, else an array.
        """
        return self._vectors(documents, PROFILE)

    def job_vectors(self, documents: Documents) -> Any:
        """Likewise of jobs."""
        return self._vectors(documents, JOB)

    def score(self, profiles: Documents, jobs: Documents) -> Float32[np.ndarray, "profiles jobs"]:
        """Every profile with every job."""
        one, other = self.profile_vectors(profiles), self.job_vectors(jobs)
        found: Any = one @ other.T
        return found.toarray() if self.is_explicit else np.asarray(found)

    def profile_skills(self, documents: Documents) -> Float32[np.ndarray, "documents skills"]:
        """How likely each skill is by what profiles say: a logit, for ranking skills."""
        return self._likely(documents, PROFILE)

    def job_skills(self, documents: Documents) -> Float32[np.ndarray, "documents skills"]:
        """Likewise of jobs."""
        return self._likely(documents, JOB)

    def skills(
        self, text: Text, *, side: str = "profile", most: int = 10
    ) -> list[tuple[str, float]]:
        """The strongest skills of a document's vector, by name."""
        self._require_names()
        if side not in SIDES:
            raise ValueError(f"A document is of a {' or a '.join(SIDES)}, got {side!r}: say which.")
        vector = self._one(text, SIDES.index(side))[: len(self.inventory)]
        return explaining.shares(self.inventory, vector, np.ones_like(vector))[:most]

    def explain(self, profile: Text, job: Text) -> list[tuple[str, float]]:
        """The skills and words that the score is the sum of, largest share first."""
        self._require_names()
        return explaining.shares(self.names, self._one(profile, PROFILE), self._one(job, JOB))

    def explain_pairs(
        self, profiles: Documents | csr_array, jobs: Documents | csr_array
    ) -> list[list[tuple[str, float]]]:
        """The explanations of the first profile with the first job, of the second with the second
        and so on; of documents, or of vectors that were made of them before.

        Raises:
            ValueError: there are not as many of both.
        """
        self._require_names()
        one: Any = self._vectors(profiles, PROFILE) if isinstance(profiles, Documents) else profiles
        other: Any = self._vectors(jobs, JOB) if isinstance(jobs, Documents) else jobs
        if one.shape[0] != other.shape[0]:
            raise ValueError(
                f"Pairs want as many profiles as jobs, got {one.shape[0]:,} and "
                f"{other.shape[0]:,}: give one job for each profile."
            )
        both: Any = csr_array(one * other)
        return [
            self._named(both.indices[start:stop], both.data[start:stop])
            for start, stop in zip(both.indptr[:-1], both.indptr[1:], strict=True)
        ]

    def gap(self, profile: Text, job: Text) -> list[tuple[str, float]]:
        """What the profile lacks for the job: skills, and what the score would win if it had each
        as much as its strongest; most first.
        """
        self._require_names()
        one, other = self._one(profile, PROFILE), self._one(job, JOB)
        skills = slice(len(self.inventory))
        level = self._level(one)[skills]
        return explaining.missing(self.inventory, one[skills], other[skills], level)

    def what_if(self, profile: Text, job: Text, values: Mapping[str, float]) -> WhatIf:
        """The score with other values of some skills or words of the profile: 0 takes one away, 1
        is as much as the profile has of its strongest. Nothing else changes: the score moves by its
        share.

        Raises:
            ValueError: a skill is unknown, or a value is below 0.
        """
        self._require_names()
        one, other = self._one(profile, PROFILE), self._one(job, JOB)
        return explaining.edited(self.names, one, other, self._level(one), values)

    def read(self, documents: Documents) -> Documents:
        """Documents with what their words speak of, if there is a linker.

        Raises:
            ValueError: they are over another inventory, or another linker has read them.
        """
        if documents.skills != len(self.inventory):
            raise ValueError(
                f"This space has {len(self.inventory):,} skills, got documents over "
                f"{documents.skills:,}: number their skills by its inventory."
            )
        words = self.model.spec.words
        if self.linker is None and words_of(documents) not in (0, words) and words:
            raise ValueError(
                f"This space has {words:,} words, got documents that another linker read, of "
                f"{words_of(documents):,}: have them linked by its own."
            )
        if self.linker is None or not len(documents):
            return documents
        return self.linker.linked(documents, gain=self.settings.link_gain)

    def documents(
        self,
        texts: Iterable[str],
        given: Sequence[Mapping[str, float] | Iterable[str]] | None = None,
    ) -> Documents:
        """Texts, and skills that they state, by name."""
        return Documents.of(texts, self.inventory, given=given)

    def save(self, directory: str | Path) -> None:
        """Writes what `open` needs, with Orbax.

        Raises:
            FileExistsError: the directory holds something else.
        """
        path = Path(directory)
        if path.exists() and any(path.iterdir()):
            raise FileExistsError(
                f"A space is saved once, and {path} is not empty: give another directory."
            )
        path.mkdir(parents=True, exist_ok=True)
        self.inventory.save(path / INVENTORY)
        if self.linker is not None:
            self.linker.save(path / LINKS)
        notes = {"epoch": self.epoch, "history": list(self.history)}
        with Saver(path, keep=1) as saver:
            spec = {"model": self.model.spec, "settings": self.settings}
            saver.save(self.epoch, nnx.state(self.model), spec=spec, notes=notes)

    @classmethod
    def open(cls, directory: str | Path) -> "Space":
        """A space from its directory alone.

        Raises:
            FileNotFoundError: there is none, or a file is missing.
            ValueError: the directory holds something else, or was edited.
        """
        path = Path(directory)
        if not (path / INVENTORY).is_file():
            raise FileNotFoundError(
                f"A space has an {INVENTORY}, and {path} has none: give one that was fitted."
            )
        found = describe(path)
        chosen = from_json(found.spec)
        spec, settings = chosen["model"], chosen["settings"]
        abstract = nnx.eval_shape(lambda: spec.build(rngs=nnx.Rngs(0)))
        here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        like = jax.tree.map(
            lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=here),
            nnx.state(abstract),
        )
        state = restore(path, like, step=found.step).state
        model = nnx.merge(nnx.graphdef(abstract), state)
        notes = found.notes
        inventory = Inventory.open(path / INVENTORY)
        linker = Linker.open(path / LINKS) if (path / LINKS).is_dir() else None
        history = tuple(notes["history"])
        return cls(model, inventory, settings, notes["epoch"], history, linker)

    def _vectors(self, documents: Documents, side: int) -> Any:
        programs: Programs = self._programs  # type: ignore[attr-defined]
        documents = self.read(documents)
        if self.is_explicit:
            return programs.sparse(documents, side)
        return programs.dense(documents, side)

    def _likely(self, documents: Documents, side: int) -> Float32[np.ndarray, "documents skills"]:
        self._require_names()
        documents = self.read(documents)
        return self._programs.logits(documents, side)  # type: ignore[attr-defined]

    def _one(self, text: Text, side: int) -> Float32[np.ndarray, " named"]:
        """The vector of one document, whole."""
        documents = self.documents([text]) if isinstance(text, str) else text
        if len(documents) != 1:
            raise ValueError(
                f"One document is explained at a time, got {len(documents):,}: take one of them, "
                "or ask explain_pairs()."
            )
        programs: Programs = self._programs  # type: ignore[attr-defined]
        found = programs.entries(self.read(documents), side)
        vector = np.zeros(self.model.spec.named, np.float32)
        np.maximum.at(vector, found.places[0], found.values[0])
        return vector

    def _level(self, profile: Float32[np.ndarray, " named"]) -> Float32[np.ndarray, " named"]:
        """What each skill has where it is as strong as the profile's strongest, and each word."""
        skills = self.model.spec.skills
        head = self.model.heads[PROFILE]
        assert isinstance(head, NamedHead)
        found = [explaining.stated(profile[:skills], np.asarray(head.weights))]
        for words in [*self.model.spoken][:1]:
            found.append(explaining.stated(profile[skills:], np.asarray(words.weights)))
        return np.concatenate(found)

    def _named(self, numbers: np.ndarray, values: np.ndarray) -> list[tuple[str, float]]:
        order = np.argsort(-values, kind="stable")
        names = self.names.names
        return [
            (names[number], value)
            for number, value in zip(numbers[order].tolist(), values[order].tolist(), strict=True)
        ]

    def _require_names(self) -> None:
        if not self.is_explicit:
            raise ValueError(
                "A latent space has no names to explain with: fit one with head='explicit'."
            )
